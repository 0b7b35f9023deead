"""Turn a workflow as the web UI saves it into the prompt that the server's API takes.

The UI format lists widgets by position and connections by link number; the API format names both. The
server's `/object_info` tells the names, in order. Follows what the web UI does when it queues a workflow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from failures import Failure
from workflow_file import check
from workflow_graph import Graph, active, describe, wrapped

Json = dict[str, Any]
WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "COLOR", "BOUNDING_BOXES")
SHOWING = {"IMAGECOMPARE": ["", ""]}  # widgets that the UI does not save, and what it queues for them
DYNAMIC = ("COMFY_DYNAMICCOMBO_V3", "COMFY_DYNAMICSLOT_V3")
SEEDS = ("seed", "noise_seed")


def to_prompt(workflow: Json, object_info: Mapping[str, Any]) -> Json:
    """The API form of `workflow`, which may be in either form already.

    Raises Failure, naming the node, for what the server does not know or this conversion does not cover.
    """
    check(workflow)
    if "nodes" not in workflow:
        return workflow
    graph = Graph(workflow)
    prompt = {}
    for node in active(workflow):
        if node["type"] not in object_info:
            raise Failure(
                f"the server does not know the node {describe(node)}",
                "install the pack that has it, or see the server's log for why it did not load",
            )
        inputs = {**widget_values(node, object_info[node["type"]]), **graph.connections(node)}
        title = node.get("title") or object_info[node["type"]].get("display_name") or node["type"]
        prompt[str(node["id"])] = {"class_type": node["type"], "inputs": inputs, "_meta": {"title": title}}
    return prompt


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
