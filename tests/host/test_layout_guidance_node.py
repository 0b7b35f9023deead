"""LayoutGuidance as a user meets it: what it makes of a run, its errors, what it tells."""

import re

import pytest
import torch
from attention_control.attention_patches.layout.descent import Effort
from attention_control.nodes.host.demo_model import load_demo_model
from attention_control.nodes.host.run.install import installed
from attention_control.nodes.host.run.on_the_node import OnTheNode
from attention_control.nodes.layout.layout_guidance_node import LayoutGuidance

from .node_calls import call_node
from .tiny import sample

PROMPT = "a red cat and a blue dog, flat style"
BOXES = "0.05 0.2 0.4 0.6: red cat\n0.55 0.2 0.4 0.6: blue dog"


@pytest.fixture(scope="module")
def demo():
    with torch.inference_mode():
        return load_demo_model()


def guided(demo, **settings):
    """The node's MODEL and CONDITIONING."""
    with torch.inference_mode():
        return call_node(LayoutGuidance, demo.model, demo.clip, PROMPT, **{"boxes": BOXES, **settings})


def run(demo, model, positive, **how):
    with torch.inference_mode():
        negative = demo.clip.encode_from_tokens_scheduled(demo.clip.tokenize(""))
    settings = {"batch": 1, "height": 16, "width": 16, "steps": 3, **how}
    return sample(model, positive, negative, **settings)


def test_the_demo_model_is_guided(demo, caplog):
    """Within the first step the loss falls, attention comes into the boxes, and the report says so."""
    model, positive = guided(demo)
    caplog.set_level("INFO")
    out = run(demo, model, positive)
    assert not torch.equal(out, run(demo, demo.model, positive))
    report = next(r.message for r in caplog.records if "LayoutGuidance" in r.message)
    first, last = re.search(r"loss ([\d.]+) -> ([\d.]+)\.", report).groups()
    assert float(last) < float(first)
    shares = [part.split() for part in report.split("box: ")[1].rstrip(".").split(", ")]
    moves = [int(after) - int(before) for *_, before, _, after, _ in shares]
    assert len(moves) == 2 and min(moves) >= 0 and sum(moves) > 0  # the loss is their sum


def test_a_canvas_that_was_left_at_its_size_is_doubted(demo, caplog):
    """Boxes for a picture of 128 pixels, and `width` and `height` still 512."""
    model, positive = guided(demo, boxes="6 26 51 76: red cat\n70 26 51 76: blue dog", guidance_iterations=1)
    caplog.set_level("INFO")
    run(demo, model, positive, steps=1)
    report = next(r.message for r in caplog.records if "LayoutGuidance" in r.message)
    assert report.endswith(
        "The canvas of the boxes has 512 x 512 pixels and the picture 128 x 128: all boxes lie in its upper "
        "left 128 x 128 pixels. Set `width` and `height` to the canvas that they were drawn in."
    )


def patch_of(demo, **settings):
    return installed(guided(demo, **settings)[0])[0].method


def test_defaults_are_the_authors(demo):
    """A fifth of the steps, 5 shifts, scale 30, target 0.2, their layers."""
    patch = patch_of(demo)
    assert (patch.effort, patch.loss_scale, patch.layers) == (Effort(0.2, 5, 0.2), 30.0, None)
    assert [subject.phrase for subject in patch.layout.images[0]] == ["red cat", "blue dog"]


@pytest.mark.parametrize(
    "nothing", [{"boxes": ""}, {"guidance_until": 0.0}, {"guidance_iterations": 0}, {"loss_scale": 0.0}]
)
def test_off(demo, nothing):
    """No boxes, no steps, no shifts or no strength: off."""
    assert patch_of(demo, **nothing).off


def test_errors_name_the_input(demo):
    """A layer that is not there, a phrase that is not in the prompt, a step fraction that cannot be."""
    for settings, message in (
        ({"layers": "outpt"}, "layers: no layer matches 'outpt'"),
        ({"boxes": "0 0 1 1: owl"}, "boxes: box 1: 'owl' is not in the prompt"),
        ({"guidance_until": 1.5}, "guidance_until is 1.5"),
    ):
        with pytest.raises(ValueError, match=message):
            patch_of(demo, **settings)


def test_another_conditioning_is_refused(demo):
    """One too short to hold the subjects' words, instead of an index error in the middle of a run."""
    model, positive = guided(demo)
    short = [[positive[0][0][:, :4], positive[0][1]]]
    with pytest.raises(ValueError, match="has 4 tokens, but a subject is token"):
        run(demo, model, short, steps=1)


def test_each_step_shows_its_loss(demo, monkeypatch):
    """While it runs, on the node that the guidance is from."""
    shown = []
    monkeypatch.setattr(OnTheNode, "tell", lambda node, text: shown.append((node.node_id, text)))
    model, positive = guided(demo, guidance_until=1.0, guidance_iterations=2)
    run(demo, model, positive, steps=3)
    assert [node for node, _ in shown] == ["7"] * 4
    assert [text.split(":")[0] for _, text in shown] == [
        *(f"Guided step {n}" for n in (1, 2, 3)),
        "LayoutGuidance",
    ]
