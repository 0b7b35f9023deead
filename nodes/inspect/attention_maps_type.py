"""The type of sockets that carry recorded attention."""

from comfy_api.latest import io

AttentionMaps = io.Custom("ATTENTION_MAPS")
