"""A bypassed layout node leaves a graph that runs: it hands on a MODEL and a CONDITIONING."""

from typing import Any

import pytest
from attention_control.nodes.layout.bounded_attention_node import BoundedAttention
from attention_control.nodes.layout.layout_guidance_node import LayoutGuidance

from workflow_graph import passing_link


@pytest.mark.parametrize("node", [BoundedAttention, LayoutGuidance])
def test_bypass_hands_on_model_and_positive(node: Any) -> None:
    """Each output finds an input of its type, by the web UI's rule; else nobody asks for `positive`."""
    schema = node.define_schema()
    sockets = [{"name": x.id, "type": x.io_type, "link": x.id} for x in schema.inputs]
    saved = {"inputs": sockets, "outputs": [{"type": x.io_type} for x in schema.outputs]}
    assert [passing_link(saved, slot) for slot in (0, 1)] == ["model", "positive"]
    last = schema.inputs[-1]
    assert last.id == "positive" and last.optional and last.lazy
