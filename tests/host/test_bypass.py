"""What a bypassed node leaves: a MODEL and a CONDITIONING past layout nodes, and a viewer without maps."""

from typing import Any

import pytest
from attention_control.nodes.inspect.attention_leakage_node import AttentionLeakage
from attention_control.nodes.inspect.attention_map_viewer_node import AttentionMapViewer
from attention_control.nodes.inspect.attention_probe_node import AttentionProbe
from attention_control.nodes.inspect.prompt_diagnosis_node import PromptDiagnosis
from attention_control.nodes.inspect.save_attention_maps_node import SaveAttentionMaps
from attention_control.nodes.inspect.self_segment_node import SelfSegment
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


def test_without_a_recorder_the_viewer_alone_runs() -> None:
    """The others need maps, and the host names that input where it is missing; so says the changelog."""
    readers = (AttentionMapViewer, AttentionLeakage, PromptDiagnosis, SaveAttentionMaps, SelfSegment)
    maps = {node: next(x for x in node.define_schema().inputs if x.id == "maps") for node in readers}
    assert [node for node, socket in maps.items() if socket.optional] == [AttentionMapViewer]


@pytest.mark.parametrize("node", [AttentionLeakage, AttentionProbe, PromptDiagnosis, SelfSegment])
def test_what_reports_can_be_run_by_itself(node: Any) -> None:
    """The web UI runs output nodes alone, with what they need."""
    assert node.define_schema().is_output_node
