"""What the server tells the web UI about our nodes."""

import re
from typing import Any

import pytest

from pack import ROOT

from ..node_table import documented_nodes

OURS = sorted(documented_nodes())


def test_server_knows_exactly_our_nodes(object_info: dict[str, Any]) -> None:
    """The nodes that come from the checkout are those of the table in the README, and no others."""
    from_checkout = [
        name for name, info in object_info.items() if "attention-control" in info["python_module"]
    ]
    assert sorted(from_checkout) == OURS


@pytest.mark.parametrize("name", OURS)
def test_node_explains_itself(name: str, object_info: dict[str, Any]) -> None:
    """A node has a description, a category of ours, and a tooltip on every input and output."""
    info = object_info[name]
    assert info["description"].strip()
    assert info["category"].startswith("attention control")
    inputs = [
        (key, spec) for part in ("required", "optional") for key, spec in info["input"].get(part, {}).items()
    ]
    assert not [key for key, spec in inputs if not (len(spec) > 1 and spec[1].get("tooltip", "").strip())]
    tooltips = info.get("output_tooltips") or [None] * len(info["output"])
    assert not [
        name for name, tip in zip(info["output_name"], tooltips, strict=True) if not (tip or "").strip()
    ]


@pytest.mark.parametrize("name", OURS)
def test_defaults_are_within_their_limits(name: str, object_info: dict[str, Any]) -> None:
    """Every default is a value that the input allows."""
    for part in ("required", "optional"):
        for key, spec in object_info[name]["input"].get(part, {}).items():
            options = spec[1] if len(spec) > 1 else {}
            if "default" in options:
                default = options["default"]
                assert options.get("min", default) <= default <= options.get("max", default), key
                assert default in options.get("options", [default]), key


@pytest.mark.parametrize("name", OURS)
def test_help_page_knows_the_inputs(name: str, object_info: dict[str, Any]) -> None:
    """The inputs that a help page's table names are the node's, and the page names each that has a widget."""
    inputs = {
        key: spec
        for part in ("required", "optional")
        for key, spec in object_info[name]["input"].get(part, {}).items()
    }
    page = (ROOT / "web" / "docs" / f"{name}.md").read_text(encoding="utf-8")
    _, _, table = page.partition("| input |")
    rows = table.partition("\n\n")[0].splitlines()[2:]
    named = {word for row in rows for word in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named - inputs.keys() == set()
    widgets = {
        key for key, spec in inputs.items() if spec[0] in ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
    }
    assert widgets - set(re.findall(r"`(\w+)`", page)) == set()
