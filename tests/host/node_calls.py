"""Nodes called as the server calls them."""

from typing import Any

from comfy_api.latest import io


def call_node(node: Any, *args: Any, **settings: Any) -> tuple[Any, ...]:
    """The outputs of a node; widgets that are not named have their defaults."""
    defaults = {
        x.id: x.default for x in node.define_schema().inputs if getattr(x, "default", None) is not None
    }
    called = node.PREPARE_CLASS_CLONE({"hidden_inputs": {io.Hidden.unique_id: "7"}})
    outputs: tuple[Any, ...] = called.execute(*args, **{**defaults, **settings}).args
    return outputs
