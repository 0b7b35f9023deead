"""Guidance shifts latents; who follows a given picture leaves it out, or lets it act once a step."""

from types import SimpleNamespace

import pytest
import torch
from attention_control.attention_patches.layout.descent import Effort
from attention_control.attention_patches.layout.regions import Layout, Subject
from attention_control.attention_patches.methods.bounded_attention.guidance import BoundedGuidance
from attention_control.attention_patches.methods.bounded_attention.method import BoundedAttention
from attention_control.attention_patches.methods.layout_guidance import LayoutGuidance
from attention_control.attention_patches.methods.style_aligned.method import StyleAligned
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from attention_control.nodes.host.walks import invert as host_inversion

from .inverting import METHODS, invert, picture, reconstruct
from .specimen import SHALLOW, model
from .test_cross_image import WHOLE, transfer
from .tiny import assert_same_image, conditioning, sample
from .transfers import SIZE, inverted, prompt, sampled

SHAPE = SHALLOW
STEPS = 3
ONE = Layout(((Subject("cat", (2, 3), ((0.0, 0.0, 0.6, 0.7),)),),), fillers=(1, 4), ends=(6,))
EFFORT = Effort(0.5, iterations=2, target=0.01)
LAYOUT = LayoutGuidance(layout=ONE, effort=EFFORT)


def bounded(**settings):
    return BoundedAttention(
        layout=ONE,
        layers=family_of(model(SHAPE)).layer_map().parse("all"),
        **{"refine_from": 1.0, **settings},
    )


def guided(which):
    """A patch with guidance, and what of it a given picture is followed under."""
    if which == "LayoutGuidance":
        return LAYOUT, None
    return bounded(guidance=BoundedGuidance(effort=EFFORT), refine_from=0.4, refine_every=1), bounded()


def on(patch):
    return model(SHAPE) if patch is None else install(model(SHAPE), patch)


GUIDED = ("LayoutGuidance", "BoundedAttention")
LATENT = picture(images=1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("which", GUIDED)
def test_a_picture_is_inverted_without_guidance(which, method):
    """Trajectory and noise are those of the model without it; bounds stay, as boxes in every step."""
    patch, rest = guided(which)
    found, expected = (invert(on(x), method, LATENT, steps=STEPS)[0] for x in (patch, rest))
    assert torch.equal(found.states, expected.states)
    plain = invert(model(SHAPE), method, LATENT, steps=STEPS)[0]
    if method == "ddim":
        assert torch.equal(found.states, plain.states) == (rest is None)
    else:  # whose states have noise of their own, whatever the model says
        assert torch.equal(found.noise, expected.noise)
        assert torch.equal(found.noise, plain.noise) == (rest is None)


@pytest.mark.parametrize("which", GUIDED)
def test_a_picture_is_reconstructed_without_guidance(which):
    """It comes back exactly, and the report says what was left out."""
    patch, _ = guided(which)
    inversion = invert(on(patch), latent=LATENT, steps=STEPS)[0]
    _, report = reconstruct(on(patch), inversion)
    assert "exactly" in report
    assert f"The guidance of {which} is left out" in report
    _, both = reconstruct(install(on(guided("BoundedAttention")[0]), LAYOUT), inversion)
    assert "The guidance of BoundedAttention and LayoutGuidance is left out" in both


@pytest.mark.parametrize("patch", [None, LayoutGuidance(layout=Layout(((),))), bounded()])
def test_without_guidance_nothing_is_said(patch):
    """On a plain model, with guidance that is off, with bounds alone."""
    inversion = invert(on(patch), latent=LATENT, steps=STEPS)[0]
    assert reconstruct(on(patch), inversion)[1].endswith("exactly, but for rounding.")


def test_the_node_of_the_guidance_is_told(monkeypatch, report):
    """Invert Latent has no report of its own; the log has the line as well."""
    shown = []

    def face(node):
        return SimpleNamespace(tell=lambda text: shown.append((node, text)))

    monkeypatch.setattr(host_inversion, "OnTheNode", face)
    invert(install(model(SHAPE), LAYOUT, "5"), latent=LATENT, steps=STEPS)
    ((node, text),) = shown
    assert node == "5" and text.startswith("The guidance of LayoutGuidance is left out")
    assert [line for _, line in report("Inversion")] == [text]


def in_company(outputs_of, positive, ours_first, **how):
    """Latents of a run with layout guidance on the model, before or after the other node."""
    given = outputs_of(model(SHAPE) if ours_first else install(model(SHAPE), LAYOUT))
    patched = install(given[0], LAYOUT) if ours_first else given[0]
    return sampled((patched, *given[1:]), positive, **how)


def test_guidance_acts_once_a_step_of_cross_image_attention(report):
    """In whichever order the nodes come. It moves the output, and no stored state of either picture."""
    structure, appearance = (inverted(SHAPE, seed, size, steps=4) for seed, size in ((1, SIZE), (2, (9, 7))))
    before = structure.states.clone(), appearance.states.clone()

    def node(patcher):
        return transfer(SHAPE, structure, appearance, patcher=patcher, **WHOLE)

    out = in_company(node, prompt(SHAPE), ours_first=True)
    assert torch.equal(out, in_company(node, prompt(SHAPE), ours_first=False))
    assert torch.equal(structure.states, before[0]) and torch.equal(appearance.states, before[1])
    assert not torch.allclose(out, sampled(node(model(SHAPE)), prompt(SHAPE)), rtol=0.05)
    assert all("did not begin" not in line for _, line in report("CrossImageAttention"))
    assert "Guided 2 steps" in report("LayoutGuidance")[0][1]


def test_guidance_reaches_the_sampler_beside_a_reference_picture():
    """The model sees a copy of the latents there; guidance shifts the sampler's own, in either order."""
    reference = StyleAligned(
        layers=family_of(model(SHAPE)).layer_map().parse("all"),
        reference_picture=inverted(SHAPE, 1),
        reference=1,
    )
    layout = LayoutGuidance(layout=Layout((*ONE.images, ())), effort=EFFORT)
    prompts = conditioning(model(SHAPE), seed=1), conditioning(model(SHAPE), seed=2)
    how = {"batch": 2, "height": SIZE[0], "width": SIZE[1], "steps": 2}
    one, other = (
        sample(install(install(model(SHAPE), first), second), *prompts, **how)
        for first, second in ((reference, layout), (layout, reference))
    )
    assert_same_image(one, other)
    assert not torch.allclose(one, sample(install(model(SHAPE), reference), *prompts, **how), rtol=0.05)
