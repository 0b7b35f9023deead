"""How the example workflows look on the canvas: groups, colours, and no larger than one can read."""

import json
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest

from pack import ROOT

Box = tuple[float, float, float, float]
EXAMPLES = {path.stem: path for path in sorted((ROOT / "example_workflows").glob("*.json"))}
OURS = json.loads((ROOT / "locales" / "en" / "nodeDefs.json").read_text(encoding="utf-8"))
TITLE = 30  # pixels of the canvas above a node
SCREEN = (1920, 1080)
READABLE = 8 / 14  # below this zoom the classic renderer leaves out the titles of nodes


@pytest.fixture(params=EXAMPLES)
def graph(request: pytest.FixtureRequest) -> dict[str, Any]:
    """A workflow as it is saved."""
    read: dict[str, Any] = json.loads(EXAMPLES[request.param].read_text(encoding="utf-8"))
    return read


def nodes(graph: dict[str, Any]) -> Iterator[Box]:
    """Left, top, right and bottom of each node with its title."""
    for node in graph["nodes"]:
        (left, top), (width, height) = node["pos"], node["size"]
        yield left, top - TITLE, left + width, top + height


def groups(graph: dict[str, Any]) -> Iterator[Box]:
    for group in graph["groups"]:
        left, top, width, height = group["bounding"]
        yield left, top, left + width, top + height


def test_titles_can_be_read_when_all_is_seen(graph: dict[str, Any]) -> None:
    """At the zoom at which the whole graph fits on a screen of 1920 x 1080."""
    left, top, right, bottom = zip(*nodes(graph), *groups(graph), strict=True)
    assert max(right) - min(left) <= SCREEN[0] / READABLE
    assert max(bottom) - min(top) <= SCREEN[1] / READABLE


def test_every_node_is_in_one_group(graph: dict[str, Any]) -> None:
    """Groups say in which order a graph is read; they lie side by side, each with a name."""
    around = list(groups(graph))
    for left, top, right, bottom in nodes(graph):
        own = [g for g in around if g[0] <= left and g[1] <= top and right <= g[2] and bottom <= g[3]]
        assert len(own) == 1
    for one, other in combinations(around, 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    assert graph["groups"][0]["title"] == "Start here" and all(group["title"] for group in graph["groups"])


def test_colours_tell_our_nodes_and_notes(graph: dict[str, Any]) -> None:
    """From the host's own."""
    for node in graph["nodes"]:
        known = "#233" if node["type"] in OURS else "#432" if node["type"] == "MarkdownNote" else None
        assert node.get("color") == known, node["type"]
