"""Layout Guidance in the host: what it makes of a run, with every sampler, and as a node."""

import pytest
import torch
from attention_control.nodes.host.demo_model import load_demo_model
from attention_control.nodes.layout_guidance import LayoutGuidance as LayoutGuidanceNode
from comfy_api.latest import io

from .tiny import sample

PROMPT = "a red cat and a blue dog, flat style"
BOXES = "0.05 0.2 0.4 0.6: red cat\n0.55 0.2 0.4 0.6: blue dog"


@pytest.fixture(scope="module")
def demo():
    with torch.inference_mode():
        return load_demo_model()


def guided(demo, **changes):
    settings = {
        "boxes": BOXES,
        "subjects": "",
        "width": 512,
        "height": 512,
        "guidance_steps": 0.2,
        "guidance_iterations": 5,
        "loss_target": 0.2,
        "loss_scale": 30.0,
        **changes,
    }
    node = LayoutGuidanceNode.PREPARE_CLASS_CLONE({"hidden_inputs": {io.Hidden.unique_id: "7"}})
    with torch.inference_mode():
        return node.execute(demo.model, demo.clip, PROMPT, **settings).args


def run(demo, model, positive, **how):
    with torch.inference_mode():
        negative = demo.clip.encode_from_tokens_scheduled(demo.clip.tokenize(""))
    settings = {"batch": 1, "height": 16, "width": 16, "steps": 5, **how}
    return sample(model, positive, negative, **settings)


def test_the_demo_model_is_guided(demo, caplog):
    """Within the first step the loss falls, attention comes into the boxes, and the report says so."""
    model, positive = guided(demo)
    caplog.set_level("INFO")
    out = run(demo, model, positive)
    assert not torch.equal(out, run(demo, demo.model, positive))
    report = next(r.message for r in caplog.records if "LayoutGuidance" in r.message)
    print(report)
    shares = [part.split() for part in report.split("box: ")[1].rstrip(".").split(", ")]
    for *_, before, _, after, _ in shares:
        assert int(after) > int(before)
