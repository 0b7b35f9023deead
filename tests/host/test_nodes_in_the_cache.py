"""Which nodes the host's cache keeps apart, by the host's own keys."""

import asyncio
from typing import Any
from unittest.mock import patch

import nodes as host_nodes
import pytest
from attention_control.nodes import node_classes
from comfy_api.latest import io
from comfy_execution.caching import CacheKeySetInputSignature
from comfy_execution.graph import DynamicPrompt
from execution import IsChangedCache


def keys(node: Any, *ids: str) -> list[Any]:
    """The keys under which the host caches equal nodes with these ids."""
    name = node.GET_SCHEMA().node_id
    # as if its files had been looked at and were the same
    equal = {at: {"class_type": name, "inputs": {}, "is_changed": False} for at in ids}
    prompt = DynamicPrompt(equal)
    made = CacheKeySetInputSignature(prompt, ids, IsChangedCache("prompt", prompt, None))
    with patch.dict(host_nodes.NODE_CLASS_MAPPINGS, {name: node}):
        asyncio.run(made.add_keys(ids))
    return [made.get_data_key(at) for at in ids]


@pytest.mark.parametrize("node", node_classes(), ids=lambda node: node.__name__)
def test_a_node_is_kept_apart_from_its_equals_if_it_takes_its_id(node: Any) -> None:
    """Who is told its id hands it on, so what it made is for itself; all others share what they made."""
    one, other = keys(node, "5", "12:3")
    takes_id = io.Hidden.unique_id in node.GET_SCHEMA().hidden
    assert (one != other) == takes_id
    assert keys(node, "5") == [one]
