"""The workflows for loaders of transformers: what the host asks of each node, and runs with tiny models."""

import json
from typing import Any

import nodes
import pytest
import torch
from attention_control.nodes import node_classes
from attention_control.nodes.style.style_aligned_batch_node import StyleAlignedBatch
from comfy_extras.nodes_flux import FluxGuidance
from comfy_extras.nodes_sd3 import EmptySD3LatentImage

from pack import ROOT
from ui_workflow import to_prompt

from .node_calls import call_node
from .tiny.transformers import spoken, transformer

FLOWS = {
    kind: ROOT / "example_workflows" / "transformers" / f"style_aligned_{name}.json"
    for kind, name in (("flux", "flux1"), ("z-image", "z_image"), ("qwen-image", "qwen_image"))
}
FILES = {"unet_name", "clip_name", "clip_name1", "clip_name2", "vae_name"}  # whose choices are the user's


def classes() -> dict[str, Any]:
    """Those that the workflows are made of."""
    own = {node.define_schema().node_id: node for node in node_classes()}
    further = {"FluxGuidance": FluxGuidance, "EmptySD3LatentImage": EmptySD3LatentImage}
    return {**nodes.NODE_CLASS_MAPPINGS, **further, **own}


def info(node: Any) -> dict[str, Any]:
    """What the host's `/object_info` says of its inputs."""
    if hasattr(node, "GET_NODE_INFO_V1"):
        told: dict[str, Any] = node.GET_NODE_INFO_V1()
        return told
    inputs = node.INPUT_TYPES()
    return {"input": inputs, "input_order": {part: list(given) for part, given in inputs.items()}}


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    return {name: info(node) for name, node in classes().items() if name in USED}


USED = {
    node["type"] for path in FLOWS.values() for node in json.loads(path.read_text())["nodes"]
} - {"MarkdownNote"}  # fmt: skip


@pytest.mark.parametrize("kind", FLOWS)
def test_every_input_is_one_of_the_hosts(kind, known):
    """All that are required are given, each choice is possible, and every link leads to its own type."""
    workflow = json.loads(FLOWS[kind].read_text())
    prompt = to_prompt(workflow, known)
    for number, node in prompt.items():
        given = known[node["class_type"]]["input"]
        every = {**given.get("required", {}), **given.get("optional", {})}
        assert given.get("required", {}).keys() <= node["inputs"].keys(), node
        assert node["inputs"].keys() <= every.keys(), node
        for name, value in node["inputs"].items():
            wanted, *rest = every[name]
            choices = wanted if isinstance(wanted, list) else (rest[0] if rest else {}).get("options")
            if isinstance(value, list):
                assert leads(workflow, value) == wanted, (number, name)
            elif choices and name not in FILES:
                assert value in choices, (number, name, value)


def leads(workflow: dict[str, Any], link: list[Any]) -> str:
    """The type of the output that a prompt's link is from."""
    (node,) = [node for node in workflow["nodes"] if str(node["id"]) == str(link[0])]
    return str(node["outputs"][link[1]]["type"])


@pytest.mark.parametrize("kind", FLOWS)
def test_runs_with_a_tiny_model_in_the_loaders_place(kind, known):
    """From the model to the latents, small and in two steps: the first image is what it is alone."""
    prompt = to_prompt(json.loads(FLOWS[kind].read_text()), known)
    by_class = {node["class_type"]: node["inputs"] for node in prompt.values()}
    settings = {k: v for k, v in by_class["StyleAlignedBatch"].items() if not isinstance(v, list)}
    sampling = {k: v for k, v in by_class["KSampler"].items() if not isinstance(v, list)}
    rows = 4 if "EncodePromptBatch" in by_class else 1
    positive, negative = spoken(kind, rows=rows, seed=1), spoken(kind, seed=2)
    if "FluxGuidance" in by_class:
        positive = FluxGuidance.execute(positive, by_class["FluxGuidance"]["guidance"]).args[0]
    found = []
    with torch.inference_mode():
        (aligned,) = call_node(StyleAlignedBatch, transformer(kind), **settings)
        for model in (transformer(kind), aligned):
            latent = EmptySD3LatentImage.execute(64, 96, 4).args[0]
            given = {**sampling, "steps": 2, "positive": positive, "negative": negative}
            found.append(nodes.KSampler().sample(model, latent_image=latent, **given)[0]["samples"])
    assert torch.equal(found[0][0], found[1][0])
    assert not torch.allclose(found[0][1:], found[1][1:], rtol=0.01)
