"""What is wrong by the widgets alone is said when a prompt is queued, by the host's own validation."""

import asyncio
from typing import Any
from unittest.mock import patch

import folder_paths
import nodes as host_nodes
import pytest
from attention_control.nodes import node_classes
from attention_control.nodes.inspect.attention_leakage_node import AttentionLeakage
from attention_control.nodes.inspect.save_attention_maps_node import SaveAttentionMaps
from attention_control.nodes.inversion.save_inversion_node import SaveInversion
from attention_control.nodes.layout.bounded_attention_node import BoundedAttention
from attention_control.nodes.layout.layout_guidance_node import LayoutGuidance
from execution import validate_inputs

LAYOUTS = [BoundedAttention, LayoutGuidance, AttentionLeakage]
SAVERS = [SaveAttentionMaps, SaveInversion]
LINK = ["model", 0]


def complaints(node: Any, **widgets: Any) -> set[str]:
    """What our own check of these widgets tells the user; of what is missing the host tells by itself."""
    known = {each.GET_SCHEMA().node_id: each for each in node_classes()}
    name = node.GET_SCHEMA().node_id
    prompt = {
        "model": {"class_type": "LoadDemoModel", "inputs": {}},
        "node": {"class_type": name, "inputs": widgets},
    }
    with patch.dict(host_nodes.NODE_CLASS_MAPPINGS, known):
        _, errors, _ = asyncio.run(validate_inputs("prompt", prompt, "node", {}))
    assert not [error for error in errors if error["type"].startswith("exception")]
    own = [error for error in errors if error["type"] == "custom_validation_failed"]
    return {error["details"].partition(" - ")[2] for error in own}


@pytest.mark.parametrize("node", LAYOUTS)
@pytest.mark.parametrize(
    ("widgets", "said"),
    [
        ({"boxes": "0 0 9 9: cat\n9 9 9 9"}, "boxes: box 2 comes without a description, and `subjects` is"),
        ({"boxes": "0 0 9 9\n---\n0 0 9 9: cat"}, "boxes: box 1 of image 0 comes without a description"),
        ({"boxes": "0 0 9 9\n9 9 9 9", "subjects": "cat"}, "subjects: 1 phrases (cat), but 2 boxes"),
        ({"boxes": "0 0 9"}, "boxes: '0 0 9' is not of the form"),
        ({"boxes": "[" * 3000}, "boxes: this is no valid JSON"),
        ({"boxes": "0 0 0 9: cat", "subjects": LINK}, "boxes: box 1 is 0 pixels wide"),
    ],
)
def test_boxes_and_subjects(node: Any, widgets: dict[str, Any], said: str) -> None:
    """A box that nothing is said of, boxes that cannot be read: the box is named, and nothing has run."""
    (complaint,) = complaints(node, **{"subjects": "", "width": 64, "height": 64, **widgets})
    assert complaint.startswith(said)


@pytest.mark.parametrize("node", LAYOUTS)
@pytest.mark.parametrize(
    "widgets",
    [
        {"boxes": "", "subjects": ""},
        {"boxes": "0.667 0 0.334 1: cat", "subjects": ""},  # half a pixel over the edge
        {"boxes": "", "subjects": "cat"},  # boxes or masks may be connected
        {"boxes": "0 0 9 9: cat", "subjects": ""},
        {"boxes": "0 0 9 9", "subjects": "cat"},
        {"boxes": "0 0 9 9", "subjects": LINK},
        {"boxes": LINK, "subjects": "cat, dog"},
        {},
    ],
)
def test_what_may_be_right_is_let_through(node: Any, widgets: dict[str, Any]) -> None:
    """What comes from other nodes is not known yet."""
    assert not complaints(node, **widgets)


@pytest.mark.parametrize("node", SAVERS)
def test_filename_prefix(node: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prefix that no file can have is refused before there is anything to save, and no folder is made."""
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    for prefix, said in (
        ("../away", "leads out of the output folder"),
        ("x" * 300, "no file can be written as"),
        ("x" * 300 + "/maps", "no file can be written as"),
    ):
        (complaint,) = complaints(node, filename_prefix=prefix)
        assert complaint.startswith(f"filename_prefix: {said}") or said in complaint
    for prefix in ("", "maps", "%year%/deep/maps", LINK):
        assert not complaints(node, filename_prefix=prefix)
    assert not list(tmp_path.iterdir())
