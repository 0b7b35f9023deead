"""A prompt of the earlier StyleAligned pack becomes one of ours, by the host's own hand."""

from typing import Any

import nodes
import pytest
from app.node_replace_manager import NodeReplaceManager
from attention_control.nodes.style.style_aligned_batch_node import StyleAlignedBatch
from attention_control.nodes.style.style_aligned_replacement import replacements


def test_old_prompt_runs_unedited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connections and its `scale` arrive, and every required input of our node has a value it allows."""
    monkeypatch.setitem(nodes.NODE_CLASS_MAPPINGS, "StyleAlignedBatch", StyleAlignedBatch)
    manager = NodeReplaceManager()
    for replacement in replacements():
        manager.register(replacement)
    old = {"model": ["1", 0], "share_norm": "both", "share_attn": "q+k", "scale": 0.7}
    prompt: dict[str, Any] = {
        "2": {"class_type": "StyleAlignedBatchAlign", "inputs": old, "_meta": {"title": "Align"}},
        "3": {"class_type": "KSampler", "inputs": {"model": ["2", 0]}},
    }
    manager.apply_replacements(prompt)
    found = prompt["2"]["inputs"]
    assert prompt["2"]["class_type"] == "StyleAlignedBatch" and prompt["3"]["inputs"]["model"] == ["2", 0]
    assert found["model"] == ["1", 0] and found["score_scale"] == 0.7
    for each in StyleAlignedBatch.define_schema().inputs:
        assert each.optional or each.id in found
        assert each.id not in found or found[each.id] in (getattr(each, "options", None) or [found[each.id]])
    assert set(found) <= {each.id for each in StyleAlignedBatch.define_schema().inputs}
