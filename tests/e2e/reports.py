"""What the server writes and draws on nodes while a prompt runs."""

import io
import json
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import numpy as np
from PIL import Image

from host_client import Client

TEXT_ON_A_NODE = (3).to_bytes(4, "big")  # the host's binary message: kind, length of the id, id, text
PREVIEW_OF_A_NODE = (4).to_bytes(4, "big")  # kind, length of the metadata, metadata, picture
SHOWS_PREVIEWS = {"type": "feature_flags", "data": {"supports_preview_metadata": True}}  # as browsers say
Prompt = dict[str, dict[str, Any]]


@dataclass
class Told:
    """What a client heard of one prompt: texts and previews by the id of their node, and which
    nodes were cached."""

    texts: dict[str, list[str]] = field(default_factory=dict)
    previews: dict[str, list[np.ndarray]] = field(default_factory=dict)
    cached: set[str] = field(default_factory=set)

    def take(self, message: bytes) -> None:
        """Keep a text, or a preview that says of which node it is."""
        if message.startswith(TEXT_ON_A_NODE):
            length = int.from_bytes(message[4:8], "big")
            node, text = message[8 : 8 + length].decode(), message[8 + length :].decode()
            self.texts.setdefault(node, []).append(text)
        elif message.startswith(PREVIEW_OF_A_NODE):
            start = 8 + int.from_bytes(message[4:8], "big")
            with Image.open(io.BytesIO(message[start:])) as picture:
                node = json.loads(message[8:start])["display_node_id"]
                self.previews.setdefault(node, []).append(np.asarray(picture))


async def tell(client: Client, prompt: Prompt) -> Told:
    """Run a prompt. Raises AssertionError if it fails."""
    prompt_id, told = await client.queue(prompt), Told()
    async for message in client.socket:
        if message.type == aiohttp.WSMsgType.BINARY:
            told.take(message.data)
            continue
        event = message.json() if message.type == aiohttp.WSMsgType.TEXT else {}
        if event.get("data", {}).get("prompt_id") != prompt_id:
            continue
        assert event["type"] != "execution_error", event
        if event["type"] == "execution_cached":
            told.cached.update(event["data"]["nodes"])
        if event["type"] == "executing" and event["data"]["node"] is None:
            return told
    raise AssertionError("the server hung up")
