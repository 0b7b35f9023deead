"""Each subgraph blueprint is offered by a real server, and runs on it."""

import asyncio
import json
from typing import Any

import pytest

from host_client import Client
from host_server import Server

from .blueprints import unpacked
from .runs import pictures, shows_something

SIZE = {"width": 128, "height": 128}
VALUES: dict[str, dict[str, Any]] = {
    "Style of my picture": SIZE,
    "Subjects in boxes": {**SIZE, "boxes": "4 40 50 50: orange cat\n74 40 50 50: gray cat"},
    "Edit by words": {**SIZE, "source_prompt": "a red cat", "edit_prompts": "a red dog\na blue cat"},
}
COUNTS = {"Style of my picture": 4, "Subjects in boxes": 1, "Edit by words": 3}


@pytest.fixture(scope="module")
def offered(server: Server) -> dict[str, Any]:
    """The pack's blueprints by name, as the web UI gets them."""

    async def ask() -> dict[str, Any]:
        async with Client(server.address) as client:
            async with client.session.get("/global_subgraphs") as answer:
                listed = await answer.json()
            found = {}
            for number, entry in listed.items():
                if entry["info"]["node_pack"] == "custom_nodes.attention-control":
                    async with client.session.get(f"/global_subgraphs/{number}") as answer:
                        found[entry["name"]] = json.loads((await answer.json())["data"])
            return found

    return asyncio.run(ask())


def test_the_server_offers_them(offered: dict[str, Any]) -> None:
    """Under the names of their files."""
    assert offered.keys() == VALUES.keys()


@pytest.mark.parametrize("name", VALUES)
def test_a_blueprint_runs(name: str, offered: dict[str, Any], server: Server) -> None:
    """With the demo model at its sockets it gives as many pictures as were asked for."""
    workflow = unpacked(offered[name], VALUES[name])
    found = asyncio.run(pictures(server, workflow, steps=2))
    shows_something(workflow, found)
    assert len(found["Pictures"]) == COUNTS[name]
