"""Attention Control: training-free control of diffusion models through their attention, as ComfyUI nodes."""

from typing import Any

WEB_DIRECTORY = "./web"


async def comfy_entrypoint() -> Any:
    """The extension, for the host; nothing of the host is imported before it asks."""
    from comfy_api.latest import ComfyExtension

    from .nodes import node_classes

    class AttentionControl(ComfyExtension):
        async def get_node_list(self) -> list[Any]:
            return node_classes()

    return AttentionControl()
