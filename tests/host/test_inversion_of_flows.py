"""Pictures inverted on transformers and followed: states, ways back, the probe, and given styles."""

from functools import cache
from typing import get_args

import comfy.samplers
import comfy.supported_models
import pytest
import torch
from attention_control.attention_patches.contract.call.rotary import Axis, Rotary
from attention_control.attention_patches.inversion.inversion import Inversion, InversionMethod, psnr
from attention_control.attention_patches.maps.recorded import MapStore
from attention_control.attention_patches.maps.recorders.recorder import Recorder
from attention_control.attention_patches.methods.style_aligned.style_reference import StyleReference
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.walks.distilled import distillation_remark
from attention_control.nodes.host.walks.inversion_samplers import Replay
from attention_control.nodes.host.walks.model_identity import identity, noise_path, require_model
from attention_control.nodes.host.walks.probe import Probe
from attention_control.nodes.inversion.invert_latent_node import InvertLatent
from attention_control.nodes.inversion.reconstruct_latent_node import ReconstructLatent
from attention_control.nodes.style.style_aligned_batch_node import StyleAlignedBatch
from comfy_extras.nodes_custom_sampler import SamplerCustom
from comfy_extras.nodes_flux import FluxGuidance

from .node_calls import call_node
from .tiny import assert_same_image, spy_calls
from .tiny.transformer_shapes import FURTHER, SIX, TRANSFORMERS
from .tiny.transformers import frames, painted, spoken, transformer

STEPS = 4


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


def latent(kind, seed=3, images=1, height=7, width=12):
    """A LATENT as VAE Encode would give it, of an odd size."""
    shape = (images, TRANSFORMERS[kind].channels, *frames(kind), height, width)
    return {"samples": torch.randn(shape, generator=torch.Generator().manual_seed(seed))}


@cache
def inverted(kind, method="edit friendly ddpm", cfg=1.0, steps=STEPS):
    """The node's outputs, as the server calls it."""
    texts = {"positive": spoken(kind, seed=1), "negative": spoken(kind, seed=2)}
    return InvertLatent.execute(
        transformer(kind), latent=latent(kind), method=method, scheduler="simple", steps=steps, cfg=cfg,
        seed=0, **texts,
    ).args  # fmt: skip


def reconstructed(kind, inversion, cfg=1.0, start=0.0):
    return ReconstructLatent.execute(
        transformer(kind), spoken(kind, seed=1), inversion, start, cfg, negative=spoken(kind, seed=2)
    ).args


@pytest.mark.parametrize("kind", (*SIX, *FURTHER))
def test_edit_friendly_leads_through_every_state(kind):
    """With guidance too: every state comes back, from the noisiest on and from the middle."""
    inversion, _, sigmas = inverted(kind, cfg=3.5)
    assert inversion.states.shape == (STEPS + 1, 1, TRANSFORMERS[kind].channels, 7, 12)
    assert inversion.path == noise_path(transformer(kind))
    for first in (0, STEPS // 2):
        passed = {}
        replay = Replay(inversion, lambda latents, done, seen=passed: seen.setdefault(done, latents))
        texts = spoken(kind, seed=1), spoken(kind, seed=2)
        SamplerCustom.execute(transformer(kind), False, 0, 3.5, *texts, replay, sigmas[first:], latent(kind))
        assert min(psnr(latents.cpu(), inversion.states[i]) for i, latents in passed.items()) >= 60
    found, report = reconstructed(kind, inversion, cfg=3.5)
    assert "exactly" in report
    assert found["samples"].shape == latent(kind)["samples"].shape


@pytest.mark.parametrize("kind", ["qwen-image", "cosmos"])
def test_the_second_order_comes_nearer_for_the_same_calls(kind):
    """16 steps of Euler, and 8 of RF-Solver with two calls each, there and back."""
    figures = []
    for method, steps in (("ddim", 16), ("rf-solver", 8)):
        with spy_calls(transformer(kind)) as calls:
            report = reconstructed(kind, inverted(kind, method, steps=steps)[0])[1]
        assert len(calls) == 32
        figures.append(float(report.split("space: ")[1].split(" dB")[0]))
    assert figures[1] > figures[0] + 2, figures


@pytest.mark.parametrize("kind", SIX)
def test_the_noisiest_state_can_be_sampled_on(kind):
    """By the host's Euler without noise of its own, on these sigmas; with flows they start at 0.9999."""
    inversion, noisiest, sigmas = inverted(kind, "ddim")
    assert float(sigmas[0]) == pytest.approx(80.0 if kind == "cosmos" else 0.9999)
    expected, _ = reconstructed(kind, inversion)
    euler, texts = comfy.samplers.sampler_object("euler"), (spoken(kind, seed=1), spoken(kind, seed=2))
    found = SamplerCustom.execute(transformer(kind), False, 7, 1.0, *texts, euler, sigmas, noisiest)[0]
    assert_same_image(found["samples"], expected["samples"], tolerance=1e-2)


@pytest.mark.parametrize("kind", SIX)
def test_the_probe_looks_at_the_state(kind):
    """What the model is given is the inversion's own state at the host's sigma for a noise level."""
    model, seen = transformer(kind).clone(), []

    def note(apply_model, args):
        seen.append((args["input"].clone(), float(args["timestep"][0])))
        return apply_model(args["input"], args["timestep"], **args["c"])

    model.set_model_unet_function_wrapper(note)
    first = family_of(model).layer_map().parse("1")
    recorder = Recorder(store=MapStore(), cross_layers=first, self_layers=frozenset())
    inversion = inverted(kind)[0]
    Probe(spoken(kind, seed=1), (inversion,), 0.6, 0).run(model, recorder)
    ((x, sigma),) = seen
    assert sigma == pytest.approx(float(model.get_model_object("model_sampling").percent_to_sigma(0.4)))
    assert_same_image(x.flatten(1), inversion.at(sigma).flatten(1))


@pytest.mark.parametrize("kind", TRANSFORMERS)
def test_models_know_themselves_and_no_other(kind):
    """Also those that have no biases (Flux.2, Cosmos): numbers of their own weights are kept."""
    model = transformer(kind)
    mine = identity(model)
    assert len(set(mine.weights)) > 50
    assert mine == identity(model.clone())
    assert not mine.same_base(identity(transformer(kind, seed=1)))
    inversion = Inversion(
        "ddim", torch.tensor([0.5, 0.0]), torch.zeros(2, 1, TRANSFORMERS[kind].channels, 4, 4), None, mine
    )
    assert require_model(inversion, model) is None
    with pytest.raises(ValueError, match="with other weights"):
        require_model(inversion, transformer(kind, seed=1))


def test_what_distillation_means_is_said():
    """Guidance that the network is told, and networks for few steps; edit friendly is exact under both."""
    prompt, model = spoken("flux", seed=1), transformer("flux")
    assert "is told a guidance of 3.5, and ddim comes near" in distillation_remark(model, prompt, "ddim")
    (low,) = FluxGuidance.execute(prompt, 1.0).args
    assert distillation_remark(model, low, "rf-solver") is None
    assert distillation_remark(model, prompt, "edit friendly ddpm") is None
    assert distillation_remark(transformer("qwen-image"), spoken("qwen-image"), "ddim") is None
    assert "FluxGuidance" in reconstructed("flux", inverted("flux", "ddim")[0])[1]


PLACEMENTS = ("beside", "same place", "untwisted")
SIZES = ((7, 12), (6, 8))


@cache
def picture(kind, size=SIZES[0]):
    """An inversion of a picture of this size, of three steps."""
    given = latent(kind, height=size[0], width=size[1])
    texts = {"positive": spoken(kind, seed=1), "negative": None}
    return InvertLatent.execute(
        transformer(kind), latent=given, method="ddim", scheduler="simple", steps=3, cfg=1.0, seed=0, **texts
    ).args[0]


def followed(kind, images=3, on=None, **how):
    (model,) = call_node(StyleAlignedBatch, on or transformer(kind), **how)
    return painted(model, kind, batch=images)


@pytest.mark.parametrize("kind", SIX)
def test_a_given_picture_is_the_reference(kind, report):
    """Its row ends in the picture, whatever the noise; a reference beside the batch says the same to the
    others, wherever its keys stand."""
    plain = painted(transformer(kind), kind)
    for placement in PLACEMENTS if kind in ("flux", "cosmos") else PLACEMENTS[:1]:  # pairs and halves
        how = {"placement": placement}
        in_batch = followed(kind, reference_picture=picture(kind), **how)
        assert_same_image(in_batch[:1], latent(kind)["samples"], tolerance=1e-3)
        beside = followed(kind, references=(StyleReference(picture(kind)),), **how)
        assert_same_image(beside[1:], in_batch[1:], tolerance=2e-3)
        assert any("The style is of 1 reference" in line for _, line in report("StyleAligned"))
        assert not torch.allclose(beside, plain, rtol=0.05)


@pytest.mark.parametrize("kind", ["flux", "qwen-image", "sd3"])
def test_references_of_other_sizes_stand_beside_the_picture(kind):
    """Twice the same one is the same one, and two sizes are two."""
    small, large = (StyleReference(picture(kind, size)) for size in SIZES[::-1])
    once = followed(kind, 1, references=(small,))
    assert_same_image(followed(kind, 1, references=(small, small)), once, tolerance=1e-3)
    assert not torch.allclose(followed(kind, 1, references=(small, large)), once, rtol=0.01)
    unplaced = followed(kind, 1, references=(small,), placement="same place")
    assert torch.equal(unplaced, once) == (kind == "sd3")


def test_beside_is_behind_the_last_column():
    """A picture that counts from its middle, as Qwen-Image's, and a reference of another width."""
    axis = {"channels": 4, "theta": 100.0, "by_column": 1.0}
    own = Rotary((Axis(start=-3.0, **axis),), (1, 6))
    reference = Rotary((Axis(start=-1.0, **axis),), (1, 2))
    x = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    moved = own.moved(reference.rotated(x), own.columns_beside(reference))
    assert torch.allclose(moved, Rotary((Axis(start=3.0, **axis),), (1, 2)).rotated(x), atol=1e-5)


class DiffSynthCnetPatch:
    """Called as the host's ControlNet on the model is, by whose name it goes; keeps what it is asked with."""

    def __init__(self):
        self.seen = set()

    def __call__(self, given):
        self.seen.add(tuple(given["x"].shape[-2:]))
        return given


def test_a_controlnet_on_the_model_does_not_see_references():
    """Its hint was made for the run's size."""
    patch, patched = DiffSynthCnetPatch(), transformer("qwen-image").clone()
    patched.set_model_double_block_patch(patch)
    followed("qwen-image", 1, references=(StyleReference(picture("qwen-image", SIZES[1])),), on=patched)
    assert patch.seen == {SIZES[0]}


@pytest.mark.parametrize("method", get_args(InversionMethod))
def test_levels_above_the_highest_of_flows(method):
    """Are one level: beta with 100 steps has two on Flux at 2048 x 2048, and from a shift of 12 on."""
    latent = {"samples": torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(1))}
    how = {"method": method, "sigmas": torch.tensor([1.0, 0.99995, 0.6, 0.3, 0.0])}
    inversion, _, sigmas = call_node(InvertLatent, transformer("flux"), spoken("flux"), latent, **how)
    assert sigmas.tolist() == pytest.approx([0.9999, 0.6, 0.3, 0.0])
    assert inversion.states.isfinite().all()


def test_a_network_that_norms_its_text_is_not_distilled(monkeypatch):
    """The host takes Ovis-Image for FluxSchnell, as neither is told a guidance."""
    model = transformer("flux")
    monkeypatch.setattr(model.model, "model_config", comfy.supported_models.FluxSchnell({}))
    monkeypatch.setattr(model.model.diffusion_model.params, "guidance_embed", False)
    prompt = spoken("flux", seed=1)
    assert "distilled for few steps" in distillation_remark(model, prompt, "ddim")
    monkeypatch.setattr(model.model.diffusion_model.params, "txt_norm", True)
    assert distillation_remark(model, prompt, "ddim") is None
