"""The guidance of Bounded Attention in the host: its gradients, whom it touches, and what comes of it."""

import re

import pytest
import torch
from attention_control.attention_patches.layout.descent import Effort
from attention_control.attention_patches.layout.regions import Layout, Subject
from attention_control.attention_patches.methods.bounded_attention.bounds import Bounds, Outlines
from attention_control.attention_patches.methods.bounded_attention.guidance import BoundedGuidance
from attention_control.attention_patches.methods.bounded_attention.method import BoundedAttention
from attention_control.attention_patches.methods.bounded_attention.spill import Spill
from attention_control.nodes.host.demo_model import load_demo_model
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from attention_control.nodes.host.walks.probe import Probe
from attention_control.nodes.layout.bounded_attention_node import BoundedAttention as BoundedAttentionNode

from .just import Just
from .node_calls import call_node
from .slopes import SIZE, Asker, agrees_with_differences
from .specimen import SHALLOW, fresh_model
from .tiny import assert_same_image, conditioning, sample, tiny_model

LEFT = Subject("red cat", (1, 2), ((0.0, 0.0, 0.4, 0.8),))
RIGHT = Subject("dog", (4,), ((0.5, 0.2, 0.9, 1.0),))
LAYOUT = Layout(((LEFT, RIGHT), (RIGHT,)), fillers=(3,), ends=(6,))


def spill(layout, layers):
    return Spill(
        cross_layers=layers,
        self_layers=layers,
        layout=layout,
    )


@pytest.mark.parametrize("shape", ["sd15", "sd2"])
def test_central_differences_under_the_masks(shape):
    """The masks are part of what the gradient is taken of."""
    model = tiny_model(shape, dtype=torch.float64)
    prompts = conditioning(model, 2, seed=1), conditioning(model, seed=2)
    objective = spill(LAYOUT, family_of(model).layer_map().parse("middle"))
    bounds = Bounds(layers=family_of(model).layer_map().parse("all"), outlines=Outlines(LAYOUT), guiding=True)
    agrees_with_differences(model, prompts, objective, controlled=bounds)


def guided(model, layout, **how):
    guidance = BoundedGuidance(effort=Effort(0.5, iterations=2, target=0.01), **how)
    layers = family_of(model).layer_map().parse("all")
    return install(model, BoundedAttention(layers=layers, layout=layout, guidance=guidance, refine_from=1.0))


def test_images_are_shifted_by_their_own_loss():
    """Each image of a batch comes out as it does alone, and one without subjects as if it were unpatched."""
    model = fresh_model(SHALLOW)
    prompts = conditioning(model, 1, seed=1), conditioning(model, seed=2)
    images = ((LEFT, RIGHT), (RIGHT,), ())
    together = sample(
        guided(model, Layout(images, LAYOUT.fillers, LAYOUT.ends)), *prompts, batch=3, steps=2, **SIZE
    )
    for number, subjects in enumerate(images):
        alone = guided(model, Layout((subjects,), LAYOUT.fillers, LAYOUT.ends)) if subjects else model
        expected = sample(alone, *prompts, batch=1, images=[number], steps=2, **SIZE)
        assert_same_image(together[number : number + 1], expected, tolerance=2e-3)


def test_guidance_is_more_than_masks():
    """And with shifts of no length, no steps or no weights it is the masks alone, to the bit."""
    model = fresh_model(SHALLOW)
    prompts = conditioning(model, 1, seed=1), conditioning(model, seed=2)
    layout = Layout((LAYOUT.images[0],), LAYOUT.fillers, LAYOUT.ends)
    settings = {"layers": family_of(model).layer_map().parse("all"), "layout": layout, "refine_from": 1.0}

    def run(guidance):
        patched = install(model, BoundedAttention(guidance=guidance, **settings))
        return sample(patched, *prompts, batch=1, steps=2, **SIZE)

    masks = run(None)
    assert not torch.allclose(run(BoundedGuidance()), masks, rtol=0.01)
    for nothing in (
        BoundedGuidance(effort=Effort(0.0)),
        BoundedGuidance(step_sizes=(0.0, 0.0)),
        BoundedGuidance(cross_weight=0.0, self_weight=0.0),
    ):
        assert torch.equal(run(nothing), masks)


def test_a_probe_is_not_guided(caplog):
    """A look at a picture sees it as it is, with the masks."""
    model, observer = fresh_model(SHALLOW), Asker(objective=spill(LAYOUT, frozenset({1})))
    layout = Layout((LAYOUT.images[0],), LAYOUT.fillers, LAYOUT.ends)
    caplog.set_level("INFO")
    latent = {"samples": torch.zeros(2, 4, 6, 10)}
    with torch.inference_mode():
        Probe(conditioning(model, 1, seed=1), latent, 0.8, 3).run(guided(model, layout), Just([observer]))
    assert "BoundedAttention: 4 of 4 layers" in caplog.text and "Guided" not in caplog.text


def test_the_demo_model_is_guided(caplog):
    """Attention comes into the boxes, though one may give to the other, and the report says how much."""
    prompt = "a red cat and a blue dog, flat style"
    boxes = "0.05 0.2 0.4 0.6: red cat\n0.55 0.2 0.4 0.6: blue dog"
    with torch.inference_mode():
        demo = load_demo_model()
        negative = demo.clip.encode_from_tokens_scheduled(demo.clip.tokenize(""))
        model, positive, _ = call_node(BoundedAttentionNode, demo.model, demo.clip, prompt, boxes=boxes)
    caplog.set_level("INFO")
    sample(model, positive, negative, batch=1, height=16, width=16, steps=6)
    report = next(r.message for r in caplog.records if "BoundedAttention" in r.message)
    first, last = re.search(r"loss ([\d.]+) -> ([\d.]+)\.", report).groups()
    assert float(last) < float(first)
    shares = [part.split() for part in report.split("box: ")[1].split(". ")[0].rstrip(".").split(", ")]
    moves = [int(after) - int(before) for *_, before, _, after, _ in shares]
    assert len(moves) == 2 and sum(moves) > 5
