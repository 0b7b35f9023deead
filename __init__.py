"""Attention Control: training-free control of diffusion models through their attention, as ComfyUI nodes."""

from typing import Any

WEB_DIRECTORY = "./web"


async def comfy_entrypoint() -> Any:
    """The extension, for the host; nothing of the host is imported before it asks."""
    from comfy_api.latest import ComfyAPI, ComfyExtension

    from .nodes.host.oldest_host import require_host

    require_host()
    from .nodes import node_classes
    from .nodes.host.demo_companions import offer_companions
    from .nodes.style.style_aligned_replacement import replacements

    class AttentionControl(ComfyExtension):
        async def on_load(self) -> None:
            offer_companions()
            for replacement in replacements():
                await ComfyAPI().node_replacement.register(replacement)

        async def get_node_list(self) -> list[Any]:
            return node_classes()

    return AttentionControl()
