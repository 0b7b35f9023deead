"""One real server for all tests of this folder, on a base directory of its own."""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host_client import Client
from host_server import Server, running_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """ComfyUI with this checkout, started once."""
    base = tmp_path_factory.mktemp("comfyui")
    with running_server(Path(sys.executable), comfyui(), base, base / "server.log") as running:
        yield running


@pytest.fixture(scope="session")
def object_info(server: Server) -> dict[str, Any]:
    """Every node that the server knows."""

    async def ask() -> dict[str, Any]:
        async with Client(server.address) as client:
            return await client.object_info()

    return asyncio.run(ask())


def comfyui() -> Path:
    """The host under test; a named skip where there is none."""
    if not os.environ.get("COMFYUI_PATH"):
        pytest.skip("COMFYUI_PATH names no ComfyUI; `python scripts/test.py` brings one")
    return Path(os.environ["COMFYUI_PATH"])
