"""Ctrl-B in what is shipped: a bypassed node leaves all that the host's nodes need, as the samplers."""

import json
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest

from pack import ROOT
from workflow_graph import BYPASSED, Graph

OURS = json.loads((ROOT / "locales" / "en" / "nodeDefs.json").read_text(encoding="utf-8"))
WORKFLOWS = {path.stem: path for path in sorted((ROOT / "example_workflows").glob("**/*.json"))}
BLUEPRINTS = {path.stem: path for path in sorted((ROOT / "subgraphs").glob("*.json"))}
INPUTS = -10  # a subgraph's own node
PATCHES = ("BoundedAttention", "LayoutGuidance", "AttentionRecorder")


def graphs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every workflow, and the subgraph of every blueprint with a node for what arrives from outside."""
    for name, path in WORKFLOWS.items():
        yield name, json.loads(path.read_text(encoding="utf-8"))
    for name, path in BLUEPRINTS.items():
        (graph,) = json.loads(path.read_text(encoding="utf-8"))["definitions"]["subgraphs"]
        yield name, {**graph, "nodes": [*graph["nodes"], {"id": INPUTS, "type": "inputs"}]}


def kinds(workflow: dict[str, Any]) -> set[str]:
    """The types of its nodes."""
    return {node["type"] for node in workflow["nodes"]}


def lost(workflow: dict[str, Any], kind: str) -> set[tuple[str, str]]:
    """What nodes are no longer given while all nodes of a kind are bypassed: their types and inputs."""
    nodes = [{**node, "mode": BYPASSED} if node["type"] == kind else node for node in workflow["nodes"]]
    before, after = Graph(workflow), Graph({**workflow, "nodes": nodes})
    return {
        (node["type"], name)
        for node in workflow["nodes"]
        for name in before.connections(node).keys() - after.connections(node).keys()
    }


@pytest.mark.parametrize("kind", PATCHES)
def test_a_bypassed_node_takes_nothing_from_the_hosts_nodes(kind: str) -> None:
    """In every workflow and blueprint that has it; there are some. Ours miss maps."""
    having = {name: workflow for name, workflow in graphs() if kind in kinds(workflow)}
    assert having
    for name, workflow in having.items():
        missing = lost(workflow, kind)
        assert {kind for kind, _ in missing} <= OURS.keys(), name
        assert {socket for _, socket in missing} <= {"maps"}, name


@pytest.mark.parametrize("kind", PATCHES[:2])
def test_bypassed_or_not_the_prompt_is_one(kind: str) -> None:
    """What `positive` brings is encoded from where the node has its own prompt from."""
    for name, workflow in graphs():
        graph = Graph(workflow)
        for node in (node for node in workflow["nodes"] if node["type"] == kind):
            given = graph.connections(node)
            encoder = next(n for n in workflow["nodes"] if str(n["id"]) == given["positive"][0])
            assert graph.connections(encoder)["text"] == given["prompt"], name


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_nodes_of_a_blueprint_lie_beside_each_other(name: str) -> None:
    """None covers another, for whoever opens it; a title is 30 pixels high."""
    (graph,) = json.loads(BLUEPRINTS[name].read_text(encoding="utf-8"))["definitions"]["subgraphs"]
    boxes = [(x["title"] if "title" in x else x["type"], *x["pos"], *x["size"]) for x in graph["nodes"]]
    for (one, x, y, w, h), (other, left, top, width, height) in combinations(boxes, 2):
        beside = x + w <= left or left + width <= x
        assert beside or y + h <= top - 30 or top + height <= y - 30, (one, other)
