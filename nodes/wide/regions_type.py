"""The type of sockets that carry regions with prompts of their own."""

from comfy_api.latest import io

RegionsSocket = io.Custom("REGIONS")
