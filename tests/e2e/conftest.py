"""One real server for all tests of this folder, on a base directory of its own."""

import asyncio
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from host_client import Client
from host_server import Server, running_server
from pack import ROOT, load_pack

from ..npm_packages import installed
from .demo_runs import Served, demo
from .host_under_test import comfyui
from .runs import EXAMPLES, Example, Pictures, Script, nodes_of, pictures, read, steps_of


@pytest.fixture(scope="session")
def script(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Script]:
    """`script(path, *options)` runs a Python file that uses the host, and returns what it printed."""
    comfyui()
    log = tmp_path_factory.mktemp("script") / "log"
    forks = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("forks.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def run(path: Path, *options: object) -> str:
        assert forks.stdin and forks.stdout
        job = [str(path), [str(option) for option in options], str(log)]
        print(json.dumps(job), file=forks.stdin, flush=True)
        status = forks.stdout.readline()
        printed = log.read_text()
        assert status == "0\n", printed[-2000:]
        return printed

    with forks:  # closes its input, and waits
        yield run


@pytest.fixture
def benchmark(script: Script, tmp_path: Path) -> Script:
    """`benchmark("maps", "--quick")` runs one, which writes its files to `tmp_path`."""
    return lambda name, *options: script(ROOT / "benchmarks" / f"{name}.py", "--output", tmp_path, *options)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """ComfyUI with this checkout and a node that expands, started once."""
    base = tmp_path_factory.mktemp("comfyui")
    (base / "custom_nodes").mkdir()
    shutil.copy(Path(__file__).with_name("expanding_node.py"), base / "custom_nodes")
    with running_server(Path(sys.executable), comfyui(), base, base / "server.log") as running:
        yield running


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A second server with this checkout, on folders of its own, as the demo serves it."""
    temporary = tmp_path_factory.mktemp("served")
    with demo(ROOT, temporary, "--serve") as process:
        assert process.stdout is not None
        yield Served(process, process.stdout.readline().strip(), temporary)
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.communicate()


@pytest.fixture(scope="session")
def example(server: Server) -> Example:
    """`example("01 One style for a whole batch")`: its pictures by title, sampled once in a few steps."""

    def run(name: str) -> Pictures:
        return asyncio.run(pictures(server, read(EXAMPLES[name]), steps=steps_of(name)))

    return cache(run)


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core, which says what shuts people out of a page."""
    folder = installed("axe", Path(__file__).parent / "viewer" / "axe")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def object_info(server: Server) -> dict[str, Any]:
    """Every node that the server knows."""

    async def ask() -> dict[str, Any]:
        async with Client(server.address) as client:
            return await nodes_of(client)

    return asyncio.run(ask())


@pytest.fixture(scope="session")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of drawings that are all discs: the real ones need npm."""
    load_pack()
    from attention_control.demo_model.world.scene import SIZES
    from attention_control.demo_model.world.vocabulary import DRAWINGS, STYLES, SUBJECTS

    tiles = {}
    for size in SIZES:
        y, x = np.mgrid[0:size, 0:size] / (size - 1) - 0.5
        inside = np.clip((0.4 - np.hypot(x, y)) * size + 0.5, 0, 1)
        rim = np.zeros_like(inside)
        tile = (np.stack([np.where(x > 0, 0.8, 0.3), inside, rim, rim], -1) * 255).round().astype(np.uint8)
        keys = product(DRAWINGS, STYLES, SUBJECTS, [str(size)])
        tiles |= {"/".join(key): tile for key in keys}
    cache = tmp_path_factory.mktemp("drawings")
    np.savez(cache / "styled-sprites.npz", **tiles)
    return cache
