"""Turn a workflow as the web UI saves it into the prompt that the server's API takes.

The UI format lists widgets by position and connections by link number; the API format names both. The
server's `/object_info` tells the names, in order. Follows what the web UI does when it queues a workflow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from failures import Failure

Json = dict[str, Any]
MUTED, BYPASSED = 2, 4
WITHOUT_EFFECT = ("Note", "MarkdownNote", "PrimitiveNode", "Reroute")
WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "COLOR", "BOUNDING_BOXES")
SHOWING = {"IMAGECOMPARE": ["", ""]}  # widgets that the UI does not save, and what it queues for them
DYNAMIC = ("COMFY_DYNAMICCOMBO_V3", "COMFY_DYNAMICSLOT_V3")
SEEDS = ("seed", "noise_seed")


def to_prompt(workflow: Json, object_info: Mapping[str, Any]) -> Json:
    """The API form of `workflow`, which may be in either form already.

    Raises Failure, naming the node, for what the server does not know or this conversion does not cover.
    """
    if "nodes" not in workflow:
        return _checked_prompt(workflow)
    if workflow.get("definitions", {}).get("subgraphs"):
        raise Failure("the workflow has subgraphs", "unpack them in the web UI and save it again")
    graph = Graph(workflow)
    prompt = {}
    for node in sorted(workflow["nodes"], key=lambda node: node.get("order", 0)):
        if node["type"] in WITHOUT_EFFECT or node.get("mode") in (MUTED, BYPASSED):
            continue
        if node["type"] not in object_info:
            raise Failure(
                f"the server does not know the node {describe(node)}",
                "install the pack that has it, or see the server's log for why it did not load",
            )
        inputs = {**widget_values(node, object_info[node["type"]]), **graph.connections(node)}
        title = node.get("title") or object_info[node["type"]].get("display_name") or node["type"]
        prompt[str(node["id"])] = {"class_type": node["type"], "inputs": inputs, "_meta": {"title": title}}
    if not prompt:
        raise Failure("the workflow has no active node", "give one that has at least an output node")
    return prompt


def _checked_prompt(prompt: Json) -> Json:
    """`prompt` itself if it is a prompt: every value a node with a class and inputs."""
    nodes = [node for node in prompt.values() if isinstance(node, dict)]
    if (
        not nodes
        or len(nodes) < len(prompt)
        or not all({"class_type", "inputs"} <= set(node) for node in nodes)
    ):
        raise Failure(
            "the file is neither a workflow of the web UI nor a prompt of the API",
            "save it in the web UI with Workflow > Save or Workflow > Export (API)",
        )
    return prompt


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


def widget_values(node: Json, info: Mapping[str, Any]) -> Json:
    """The widgets of `node` by name, from the values that the UI saved by position (some packs: by name)."""
    saved = node.get("widgets_values") or []
    widgets, showing = list(widgets_of(node, info)), dict(showing_widgets(info))
    if isinstance(saved, dict):
        return {name: wrapped(saved.get(name, default)) for name, default in widgets if name} | showing
    # What the UI adds behind the last widget, such as an upload button, is no input; the rest has defaults.
    values = [*saved, *(default for _, default in widgets[len(saved) :])]
    named = {name: wrapped(value) for (name, _), value in zip(widgets, values, strict=False) if name}
    return named | showing


def showing_widgets(info: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Name and value of each required widget that only shows something."""
    for name, (kind, *_) in info["input"].get("required", {}).items():
        if isinstance(kind, str) and kind in SHOWING:
            yield name, wrapped(SHOWING[kind])


def widgets_of(node: Json, info: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Name and default of each widget, in the order of the saved values; no name if only the UI has it."""
    sections = info.get("input_order") or {part: list(inputs) for part, inputs in info["input"].items()}
    for part in ("required", "optional"):
        for name in sections.get(part, []):
            kind, *rest = info["input"][part][name]
            options = rest[0] if rest else {}
            if kind in DYNAMIC:
                raise Failure(
                    f"the node {describe(node)} has the input {name!r}, whose widgets change with its value",
                    "export the workflow in the web UI with Workflow > Export (API) and give that file",
                )
            if options.get("forceInput") or not (isinstance(kind, list) or kind in WIDGETS):
                continue
            choices = kind if isinstance(kind, list) else options.get("options", [None])
            yield name, options.get("default", choices[0] if choices else None)
            if options.get("control_after_generate", kind == "INT" and name in SEEDS):
                yield "", None


def wrapped(value: Any) -> Any:
    """A list as a value, told apart from a connection, which is a list as well."""
    return {"__value__": value} if isinstance(value, list) else value


def describe(node: Json) -> str:
    """A node in a message: its type and number."""
    return f"{node['type']} (number {node['id']})"
