"""What the server writes on nodes while a prompt runs."""

from dataclasses import dataclass, field
from typing import Any

import aiohttp

from host_client import Client

TEXT_ON_A_NODE = (3).to_bytes(4, "big")  # the host's binary message: kind, length of the id, id, text
Prompt = dict[str, dict[str, Any]]


@dataclass
class Told:
    """What a client heard of one prompt: texts by the id of their node, and which nodes were cached."""

    texts: dict[str, list[str]] = field(default_factory=dict)
    cached: set[str] = field(default_factory=set)

    def take(self, message: bytes) -> None:
        """Keep a text; other binary messages are previews."""
        if message.startswith(TEXT_ON_A_NODE):
            length = int.from_bytes(message[4:8], "big")
            node, text = message[8 : 8 + length].decode(), message[8 + length :].decode()
            self.texts.setdefault(node, []).append(text)


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
