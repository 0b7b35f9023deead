"""The demo command, on a copy of the checkout with a history of its own."""

import asyncio
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from bytecode import bytecode_of, forget_bytecode
from demo_options import parser
from demo_pictures import run_workflow
from failures import Failure
from host_server import Server

from .demo_runs import demo, processes_of
from .runs import EXAMPLES, Example, brief, read

ROOT = Path(__file__).resolve().parents[2]


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder, as nobody in particular."""
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    return subprocess.run(
        ["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The files of this checkout that git would keep, committed to a repository of their own."""
    copy = tmp_path_factory.mktemp("checkout")
    listed = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    for name in listed:
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    git(copy, "init", "-q")
    git(copy, "add", "-A")
    git(copy, "commit", "-q", "-m", "copy")
    yield copy
    forget_bytecode(copy)


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Where the demo may put what it removes at its end."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def wait_for_server(checkout: Path, process: subprocess.Popen[str]) -> psutil.Process:
    """The demo's server, as soon as it is there."""
    while True:
        assert process.poll() is None, "the demo ended before its time"
        for found in processes_of(checkout):
            if any("guarded_main.py" in word for word in found.cmdline()):
                return found
        time.sleep(0.05)


def test_demo_saves_pictures_and_leaves_nothing_else(
    checkout: Path, temporary: Path, tmp_path: Path, example: Example
) -> None:
    """The printed paths are the pictures, as another server makes them; nothing else is left. The demo's own
    workflow is made in a few steps."""
    assert parser().parse_args([]).workflow == EXAMPLES["01 One style for a whole batch"]
    workflow = tmp_path / "brief.json"
    workflow.write_text(json.dumps(brief(read(EXAMPLES["01 One style for a whole batch"]))))
    process = demo(checkout, temporary, "--workflow", str(workflow))
    out, err = process.communicate()
    assert process.returncode == 0, err
    paths = [Path(line) for line in out.splitlines()]
    assert len(paths) == 9 and all(path.is_file() and path.suffix == ".png" for path in paths)
    batch = [
        np.asarray(Image.open(path).convert("RGB"))
        for path in paths
        if path.name.startswith("style_aligned_plain")
    ]
    assert len(batch) == 4
    assert all(
        np.array_equal(a, b)
        for a, b in zip(batch, example("01 One style for a whole batch")["Plain"], strict=True)
    )
    assert git(checkout, "status", "--porcelain") == ""
    assert not list(processes_of(checkout))
    assert not list(temporary.glob("attention-control-*"))
    kept = bytecode_of(temporary)
    assert kept is None or not list(kept.glob("attention-control-*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_demo_leaves_no_process(checkout: Path, temporary: Path, number: int) -> None:
    """Ctrl-C, a polite and an impolite end stop the server too; the first two clean up as well."""
    process = demo(checkout, temporary)
    server = wait_for_server(checkout, process)
    process.send_signal(number)
    _, err = process.communicate()
    assert process.returncode != 0 and "Traceback" not in err
    psutil.wait_procs([server], timeout=60)
    assert not server.is_running()
    if number != signal.SIGKILL:
        assert not list(temporary.glob("attention-control-*"))


def test_failing_demo_says_why_and_leaves_nothing(checkout: Path, temporary: Path, tmp_path: Path) -> None:
    """A server that ends too early ends the demo in one line, with no process and no picture."""
    process = demo(checkout, temporary, "--output", str(tmp_path / "out"))
    wait_for_server(checkout, process).kill()
    out, err = process.communicate()
    assert process.returncode == 1 and out == ""
    assert "the server ended while starting" in err.splitlines()[-1] and "Traceback" not in err
    assert not list(processes_of(checkout)) and not list((tmp_path / "out").glob("*.png"))
    assert not list(temporary.glob("attention-control-*"))


def test_node_that_nobody_knows_is_named(server: Server) -> None:
    """That is how the demo fails on a workflow for other nodes than the server has."""
    unknown = {"nodes": [{"id": 1, "type": "NoSuchNode"}], "links": []}
    with pytest.raises(Failure, match="NoSuchNode"):
        asyncio.run(run_workflow(server, unknown))


def test_taken_port_is_told_at_once(checkout: Path, temporary: Path, server: Server) -> None:
    """A port on which another server listens is refused by number."""
    process = demo(checkout, temporary, "--port", str(server.port))
    _, err = process.communicate()
    assert process.returncode == 1 and f"port {server.port}" in err.splitlines()[-1]
