"""The type of sockets that carry recorded attention."""

from comfy_api.latest import io

AttentionMapsSocket = io.Custom("ATTENTION_MAPS")
