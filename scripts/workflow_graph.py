"""The graph of a workflow as the web UI saves it: which nodes run, and what arrives at each."""

from __future__ import annotations

from typing import Any

from failures import Failure

Json = dict[str, Any]
MUTED, BYPASSED = 2, 4
WITHOUT_EFFECT = ("Note", "MarkdownNote", "PrimitiveNode", "Reroute")


def active(workflow: Json) -> list[Json]:
    """The nodes that run, in the order in which the web UI would run them."""
    nodes = sorted(workflow["nodes"], key=lambda node: node.get("order", 0))
    resting = (MUTED, BYPASSED)
    return [x for x in nodes if x["type"] not in WITHOUT_EFFECT and x.get("mode") not in resting]


class Graph:
    """Who feeds whom: links by number, nodes by number."""

    def __init__(self, workflow: Json) -> None:
        self.nodes = {node["id"]: node for node in workflow["nodes"]}
        # Version 0.4 writes a link as a list [id, from, slot, to, slot, type], version 1 as an object.
        self.sources = {
            link["id"]: (link["origin_id"], link["origin_slot"])
            for link in (_as_link(entry) for entry in workflow.get("links", []))
        }

    def connections(self, node: Json) -> Json:
        """The connected inputs of `node`: [node, output] pairs, or the value that a primitive node gives."""
        found = {}
        for socket in node.get("inputs", []):
            value = self._follow(socket.get("link"))
            if value is not None:
                found[socket["name"]] = value
        return found

    def _follow(self, link: int | None) -> Any:
        """What arrives over `link`, through reroutes and bypassed nodes; None if nothing does."""
        if link is None:
            return None
        if link not in self.sources or self.sources[link][0] not in self.nodes:
            raise Failure(
                f"the workflow's link {link} leads nowhere", "open it in the web UI and save it again"
            )
        origin, slot = self.nodes[self.sources[link][0]], self.sources[link][1]
        if origin.get("mode") == MUTED:
            return None
        if origin["type"] == "PrimitiveNode":
            return wrapped(origin["widgets_values"][0])
        if origin["type"] == "Reroute":
            return self._follow(origin["inputs"][0].get("link"))
        if origin.get("mode") == BYPASSED:
            return self._follow(passing_link(origin, slot))
        return [str(origin["id"]), slot]


def _as_link(entry: Any) -> Any:
    """A link in either version, with its number under "id" reachable for both."""
    return (
        entry
        if isinstance(entry, dict)
        else dict(zip(("id", "origin_id", "origin_slot"), entry, strict=False))
    )


def passing_link(node: Json, slot: int) -> int | None:
    """The link a bypassed node hands on at output `slot`: the input at its place, else one of its type."""
    inputs = node.get("inputs", [])
    wanted = node["outputs"][slot]["type"]
    for socket in [*inputs[slot : slot + 1], *inputs]:
        if wanted in (socket["type"], "*") or socket["type"] == "*":
            link: int | None = socket.get("link")
            return link
    return None


def wrapped(value: Any) -> Any:
    """A list as a value, told apart from a connection, which is a list as well."""
    return {"__value__": value} if isinstance(value, list) else value


def describe(node: Json) -> str:
    """A node in a message: its type and number."""
    return f"{node['type']} (number {node['id']})"
