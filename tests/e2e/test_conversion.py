"""The conversion of saved workflows, on the hundreds that come with the host's web UI."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from failures import Failure
from ui_workflow import to_prompt

from .runs import read

KINDS: dict[str, type | tuple[type, ...]] = {
    "INT": int,
    "FLOAT": (int, float),
    "STRING": str,
    "BOOLEAN": bool,
}


def templates() -> list[dict[str, Any]]:
    """The workflows among the host's installed templates."""
    spec = importlib.util.find_spec("comfyui_workflow_templates_json")
    if spec is None or spec.origin is None:
        pytest.skip("comfyui_workflow_templates_json is not installed")
    files = (Path(spec.origin).parent / "templates").glob("*.json")
    return [content for content in map(read, files) if isinstance(content, dict) and "nodes" in content]


def wrong_values(prompt: dict[str, Any], object_info: dict[str, Any]) -> Iterator[str]:
    """Every plain value of a prompt that is not of its input's kind."""
    for node in prompt.values():
        sections = object_info[node["class_type"]]["input"]
        inputs = {**sections.get("required", {}), **sections.get("optional", {})}
        for name, value in node["inputs"].items():
            kind = inputs[name][0] if name in inputs else ""
            if isinstance(kind, str) and kind in KINDS and not isinstance(value, (list, KINDS[kind])):
                yield f"{node['class_type']}.{name} = {value!r} is not {kind}"


def test_every_template_converts_or_says_why_not(object_info: dict[str, Any]) -> None:
    """No template ends in anything but a prompt whose values fit their inputs, or a failure with a reason."""
    converted = 0
    for workflow in templates():
        try:
            prompt = to_prompt(workflow, object_info)
        except Failure:
            continue
        converted += 1
        assert not list(wrong_values(prompt, object_info))
    assert converted > 20
