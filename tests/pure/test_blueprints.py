"""Subgraph blueprints and app mode, as files: what they name is there."""

import json
from pathlib import Path
from typing import Any

import pytest

from pack import ROOT

BLUEPRINTS = {path.stem: path for path in sorted((ROOT / "subgraphs").glob("*.json"))}
EXAMPLES = sorted((ROOT / "example_workflows").glob("*.json"))
MOST_WIDGETS = 6  # what a beginner is asked for
INPUTS, OUTPUTS = -10, -20  # a subgraph's own nodes


def read(path: Path) -> Any:
    """A file of the web UI."""
    return json.loads(path.read_text(encoding="utf-8"))


def apps() -> dict[str, Any]:
    """The workflows that have an app, by name."""
    found = {path.stem: read(path) for path in EXAMPLES}
    return {name: workflow for name, workflow in found.items() if "linearData" in workflow["extra"]}


def test_there_are_three_blueprints() -> None:
    """By the names under which the node library lists them."""
    assert sorted(BLUEPRINTS) == ["Edit by words", "Style of my picture", "Subjects in boxes"]


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_a_blueprint_is_one_node_with_few_inputs(name: str) -> None:
    """Its name, a description, the sockets of its subgraph, and not many widgets."""
    blueprint = read(BLUEPRINTS[name])
    (node,), (graph,) = blueprint["nodes"], blueprint["definitions"]["subgraphs"]
    assert node["type"] == graph["id"] and node["title"] == graph["name"] == name
    assert blueprint["extra"]["BlueprintDescription"] == graph["description"]
    for side in ("inputs", "outputs"):
        assert [x["name"] for x in node[side]] == [x["name"] for x in graph[side]]
    assert sum("widget" in x for x in node["inputs"]) <= MOST_WIDGETS


def test_shifts_of_subjects_in_boxes_are_as_long_as_the_model_needs() -> None:
    """-1: the paper's for the kind of model; what the demo model takes is too much for others."""
    (graph,) = read(BLUEPRINTS["Subjects in boxes"])["definitions"]["subgraphs"]
    (node,) = (node for node in graph["nodes"] if node["type"] == "BoundedAttention")
    names = [x["name"] for x in node["inputs"] if "widget" in x]
    values = dict(zip(names, node["widgets_values"], strict=True))
    assert (values["first_step_size"], values["last_step_size"]) == (-1, -1)
    assert (values["guidance_until"], values["refine_from"]) == (0.3, 0.3)


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_links_of_a_blueprint_agree_at_both_ends(name: str) -> None:
    """Every link starts and ends at a socket that knows it, of its type."""
    (graph,) = read(BLUEPRINTS[name])["definitions"]["subgraphs"]
    nodes = {node["id"]: node for node in graph["nodes"]}
    for link in graph["links"]:
        here, there = link["origin_id"], link["target_id"]
        source = (graph["inputs"] if here == INPUTS else nodes[here]["outputs"])[link["origin_slot"]]
        target = (graph["outputs"] if there == OUTPUTS else nodes[there]["inputs"])[link["target_slot"]]
        assert link["id"] in source["linkIds" if here == INPUTS else "links"]
        assert link["id"] == target["link"] if there != OUTPUTS else link["id"] in target["linkIds"]
        assert source["type"] == link["type"] == target["type"]
    known = [link["id"] for link in graph["links"]]
    assert len(known) == len(set(known)) and {x["link"] for n in nodes.values() for x in n["inputs"]} - {
        None
    } <= set(known)


def test_four_examples_have_an_app() -> None:
    """App mode shows a few widgets of theirs and the pictures, each by the number of a node that has it."""
    found = apps()
    assert len(found) == 4
    for workflow in found.values():
        nodes = {node["id"]: node for node in workflow["nodes"]}
        shown = workflow["extra"]["linearData"]
        for number, name in shown["inputs"]:
            widgets = {x["name"]: x["link"] for x in nodes[number]["inputs"] if "widget" in x}
            assert widgets[name] is None  # nothing else decides it
        assert [nodes[number]["type"] for number in shown["outputs"]] == ["SaveImage"]
