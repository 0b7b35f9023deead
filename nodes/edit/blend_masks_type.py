"""The type of sockets that carry the masks of a blend."""

from comfy_api.latest import io

BlendMasksSocket = io.Custom("BLEND_MASKS")
