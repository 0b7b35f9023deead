"""The conversion of a saved workflow into a prompt, on graphs whose prompt is known."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from failures import Failure
from ui_workflow import to_prompt
from workflow_file import read_workflow

OBJECT_INFO: dict[str, Any] = {
    "Load": {"input": {"required": {}}, "input_order": {"required": []}, "display_name": "Load It"},
    "Sample": {
        "input": {
            "optional": {"name": ["STRING", {"default": "spare"}]},
            "required": {
                "model": ["MODEL", {}],
                "seed": ["INT", {"default": 0, "control_after_generate": True}],
                "method": [["euler", "heun"], {}],
                "forced": ["FLOAT", {"forceInput": True}],
                "scale": ["FLOAT", {"default": 2.5}],
            },
        },
        "input_order": {"required": ["model", "seed", "method", "forced", "scale"], "optional": ["name"]},
    },
    "Noise": {"input": {"required": {"noise_seed": ["INT", {}], "steps": ["INT", {"default": 4}]}}},
    "Patch": {"input": {"required": {"strength": ["FLOAT", {}], "model": ["MODEL"], "mask": ["MASK"]}}},
    "Canvas": {"input": {"required": {"width": ["INT", {}], "drawn": ["BOUNDING_BOXES", {"default": []}]}}},
    "Compare": {
        "input": {
            "required": {"view": ["IMAGECOMPARE", {"socketless": True}]},
            "optional": {"image_a": ["IMAGE", {}], "side": ["INT", {"default": 1}]},
        }
    },
    "Points": {"input": {"required": {"text": ["STRING", {}]}}},
    "Shifting": {"input": {"required": {"kind": ["COMFY_DYNAMICCOMBO_V3", {}]}}},
}


def node(number: int, kind: str, values: Any = None, mode: int = 0, **sockets: Any) -> dict[str, Any]:
    """A node as the web UI saves it; `sockets` maps inputs to (type, link), and `out` lists output types."""
    outputs = [{"name": kind, "type": kind, "links": []} for kind in sockets.pop("out", [])]
    inputs = [{"name": name, "type": kind, "link": link} for name, (kind, link) in sockets.items()]
    saved = {"id": number, "type": kind, "mode": mode, "order": number, "inputs": inputs, "outputs": outputs}
    return saved if values is None else {**saved, "widgets_values": values}


def workflow(*nodes: dict[str, Any], links: Any = ()) -> dict[str, Any]:
    """A saved workflow; each link is (number, from, slot)."""
    return {"version": 0.4, "nodes": list(nodes), "links": [[*link, 0, 0, "MODEL"] for link in links]}


def inputs_of(saved: dict[str, Any], number: int) -> Any:
    """The inputs of one node of the converted workflow."""
    return to_prompt(saved, OBJECT_INFO)[str(number)]["inputs"]


LOAD = node(1, "Load", out=["MODEL", "MASK"])


def test_widgets_get_their_names_and_the_ui_only_ones_go() -> None:
    """Values by position become inputs by name; what controls the seed in the web UI is none of them."""
    sample = node(2, "Sample", [7, "randomize", "heun", 1.5, "x"], model=("MODEL", 1))
    expected = {"model": ["1", 0], "seed": 7, "method": "heun", "scale": 1.5, "name": "x"}
    assert inputs_of(workflow(LOAD, sample, links=[(1, 1, 0)]), 2) == expected


def test_seed_without_an_option_is_controlled_by_its_name() -> None:
    """A seed has the control even where the server does not say so, as in the web UI."""
    assert inputs_of(workflow(node(1, "Noise", [3, "fixed", 9])), 1) == {"noise_seed": 3, "steps": 9}


def test_what_was_not_saved_has_its_default() -> None:
    """Widgets that are newer than the file have their default; a choice without one its first."""
    assert inputs_of(workflow(node(1, "Sample", [7])), 1) == {
        "seed": 7,
        "method": "euler",
        "scale": 2.5,
        "name": "spare",
    }


def test_drawn_boxes_are_a_widget() -> None:
    """Boxes of the host's canvas are a value, told apart from a connection though they are a list."""
    boxes = [{"x": 0, "y": 16, "width": 32, "height": 32}]
    saved = workflow(node(1, "Canvas", [64, boxes]))
    assert inputs_of(saved, 1) == {"width": 64, "drawn": {"__value__": boxes}}


@pytest.mark.parametrize("values", [[3], {"side": 3}])
def test_a_widget_that_only_shows_is_queued_as_the_web_ui_does(values: Any) -> None:
    """It is required, and not saved: the values are those of the other widgets."""
    assert inputs_of(workflow(node(1, "Compare", values)), 1) == {"side": 3, "view": {"__value__": ["", ""]}}


def test_more_values_than_widgets() -> None:
    """What the web UI adds behind the last widget, such as an upload button, is left out."""
    assert inputs_of(workflow(node(1, "Points", ["a", "image"])), 1) == {"text": "a"}


def test_values_by_name() -> None:
    """Some packs save their values by name."""
    assert inputs_of(workflow(node(1, "Noise", {"steps": 2, "noise_seed": 5})), 1) == {
        "noise_seed": 5,
        "steps": 2,
    }


def test_connected_widget_takes_the_connection() -> None:
    """A connection to a widget's socket replaces the value that was saved for it."""
    noise = node(2, "Noise", [3, "fixed", 9], steps=("INT", 1))
    assert inputs_of(workflow(LOAD, noise, links=[(1, 1, 1)]), 2)["steps"] == ["1", 1]


def test_list_value_is_not_mistaken_for_a_connection() -> None:
    """A value that is a list is wrapped."""
    assert inputs_of(workflow(node(1, "Points", [[[1, 2]]])), 1) == {"text": {"__value__": [[1, 2]]}}


def test_reroutes_and_primitives_and_notes() -> None:
    """A reroute hands on its source, a primitive its value; they and notes are no nodes of the prompt."""
    saved = workflow(
        LOAD,
        node(2, "Reroute", model=("*", 1), out=["MODEL"]),
        node(3, "Reroute", model=("*", 2), out=["MODEL"]),
        node(4, "PrimitiveNode", [11, "fixed"], out=["INT"]),
        node(5, "MarkdownNote", ["read me"]),
        node(6, "Sample", [7, "fixed", "heun", 1.5, "x"], model=("MODEL", 3), seed=("INT", 4)),
        links=[(1, 1, 0), (2, 2, 0), (3, 3, 0), (4, 4, 0)],
    )
    assert set(to_prompt(saved, OBJECT_INFO)) == {"1", "6"}
    assert inputs_of(saved, 6)["model"] == ["1", 0]
    assert inputs_of(saved, 6)["seed"] == 11


def test_muted_node_gives_nothing() -> None:
    """A muted node and the connections from it are gone."""
    muted = {**LOAD, "mode": 2}
    sample = node(2, "Sample", [7, "fixed", "heun", 1.5, "x"], model=("MODEL", 1))
    prompt = to_prompt(workflow(muted, sample, links=[(1, 1, 0)]), OBJECT_INFO)
    assert set(prompt) == {"2"} and "model" not in prompt["2"]["inputs"]


@pytest.mark.parametrize(("slot", "expected"), [(0, ["1", 0]), (1, ["1", 1])])
def test_bypassed_node_hands_on_by_type(slot: int, expected: list[Any]) -> None:
    """Past a bypassed node goes the first input of the output's type, wherever its socket is."""
    patch = node(
        2, "Patch", [1.0], mode=4,
        strength=("FLOAT", None), mask=("MASK", 2), model=("MODEL", 1), out=["MODEL", "MASK"],
    )  # fmt: skip
    sample = node(3, "Sample", [7, "fixed", "heun", 1.5, "x"], model=("MODEL", 3))
    saved = workflow(LOAD, patch, sample, links=[(1, 1, 0), (2, 1, 1), (3, 2, slot)])
    assert inputs_of(saved, 3)["model"] == expected


def test_newer_link_format_gives_the_same_prompt() -> None:
    """Links as objects, as version 1 of the format has them, mean the same as links as lists."""
    sample = node(2, "Sample", [7, "fixed", "heun", 1.5, "x"], model=("MODEL", 1))
    old = workflow(LOAD, sample, links=[(1, 1, 0)])
    new = {**copy.deepcopy(old), "version": 1, "links": [{"id": 1, "origin_id": 1, "origin_slot": 0}]}
    assert to_prompt(new, OBJECT_INFO) == to_prompt(old, OBJECT_INFO)


def test_titles_are_kept() -> None:
    """A node's own title comes before its class's."""
    prompt = to_prompt(workflow(LOAD, {**node(2, "Points", ["a"]), "title": "Mine"}), OBJECT_INFO)
    assert [entry["_meta"]["title"] for entry in prompt.values()] == ["Load It", "Mine"]


def test_prompt_stays_as_it_is() -> None:
    """A file that is a prompt already is taken as it is."""
    prompt = {"1": {"class_type": "Load", "inputs": {}}}
    assert to_prompt(prompt, OBJECT_INFO) == prompt


@pytest.mark.parametrize(
    ("saved", "words"),
    [
        (workflow(node(3, "Gone")), r"Gone \(number 3\)"),
        (workflow(node(3, "Shifting", ["a"])), r"Shifting \(number 3\).*'kind'"),
        (workflow(node(3, "Sample", [1], model=("MODEL", 9))), "link 9"),
        (workflow(node(3, "Note")), "no active node"),
        ({**workflow(LOAD), "definitions": {"subgraphs": [{}]}}, "subgraphs"),
        ({}, "neither"),
        ({"1": 2}, "neither"),
        ({"1": {"class_type": "Load"}}, "neither"),
    ],
)
def test_what_cannot_be_converted_is_named(saved: dict[str, Any], words: str) -> None:
    """The failure names the node, the input or the link."""
    with pytest.raises(Failure, match=words):
        to_prompt(saved, OBJECT_INFO)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("[]", "neither"),
        (json.dumps({"nodes": [7]}), "neither"),
        (json.dumps({"nodes": [{"id": 1}]}), "neither"),
        (json.dumps(workflow(node(3, "Note"))), "no active node"),
        (json.dumps(workflow(node(3, "Sample", [1], model=("MODEL", 9)))), "link 9"),
    ],
)
def test_what_is_wrong_with_a_file_is_known_without_a_server(text: str, words: str, tmp_path: Path) -> None:
    """Reading says so."""
    (tmp_path / "file.json").write_text(text)
    with pytest.raises(Failure, match=words):
        read_workflow(tmp_path / "file.json")
    with pytest.raises(Failure, match="there is no file"):
        read_workflow(tmp_path / "none.json")
