"""After a run the node itself shows what it did."""

import asyncio

import aiohttp

from host_client import Client
from host_server import Server
from ui_workflow import to_prompt

from .runs import EXAMPLES, FEW_STEPS, read, shortened, with_mark

TEXT_ON_A_NODE = (3).to_bytes(4, "big")  # the host's binary message: kind, length of the id, id, text


async def texts(server: Server) -> tuple[str, dict[str, str]]:
    """The aligning node's id in the example, and the last text sent to each node."""
    async with Client(server.address) as client:
        workflow = read(EXAMPLES["style_aligned"])
        prompt = shortened(with_mark(to_prompt(workflow, await client.object_info()), 3), FEW_STEPS)
        (ours,) = (key for key, node in prompt.items() if node["class_type"] == "StyleAlignedBatch")
        prompt_id, found = await client.queue(prompt), {}
        async for message in client.socket:
            if message.type == aiohttp.WSMsgType.BINARY and message.data.startswith(TEXT_ON_A_NODE):
                length = int.from_bytes(message.data[4:8], "big")
                found[message.data[8 : 8 + length].decode()] = message.data[8 + length :].decode()
            elif message.type == aiohttp.WSMsgType.TEXT:
                event = message.json()
                over = event["type"] == "executing" and event["data"]["node"] is None
                if over and event["data"]["prompt_id"] == prompt_id:
                    return ours, found
    raise AssertionError("the server hung up")


def test_the_node_shows_the_report(server: Server) -> None:
    """The text goes to the node that made the patch, through the server, while it runs."""
    ours, found = asyncio.run(texts(server))
    assert found == {ours: f"StyleAligned: 7 of 7 layers, {FEW_STEPS} of {FEW_STEPS} noise levels, 4 images."}
