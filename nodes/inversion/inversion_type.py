"""The type of sockets that carry an inversion."""

from comfy_api.latest import io

InversionSocket = io.Custom("INVERSION")
