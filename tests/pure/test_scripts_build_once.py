"""A folder is built once: under two runs at a time, after a killed run, after a failure."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from build_once import MARKER, build_once
from failures import Failure

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
BUILDER = """
import sys, time
from pathlib import Path
from build_once import build_once

folder, count, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])

def build(target):
    with count.open("a") as file:
        file.write("built\\n")
    (target / "first half").touch()
    time.sleep(seconds)
    (target / "second half").touch()

build_once(folder, build)
"""


def builder(folder: Path, count: Path, seconds: float) -> subprocess.Popen[bytes]:
    """A process that builds `folder` in `seconds`, adding a line to `count` when it begins."""
    command = [sys.executable, "-c", BUILDER, str(folder), str(count), str(seconds)]
    return subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(SCRIPTS)}, stderr=subprocess.DEVNULL
    )


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    """Return when `path` is there."""
    while not path.exists():
        assert process.poll() is None, "the process ended before its time"
        time.sleep(0.01)


def test_two_processes_build_once_and_both_see_it_whole(tmp_path: Path) -> None:
    """Of two processes at a time one builds, and the other returns only when the folder is complete."""
    folder, count = tmp_path / "folder", tmp_path / "count"
    first = builder(folder, count, 1.0)
    wait_for(folder / "first half", first)
    second = builder(folder, count, 0.0)
    assert second.wait() == 0
    assert (folder / "second half").exists() and (folder / MARKER).exists()
    assert first.wait() == 0
    assert count.read_text() == "built\n"


def test_killed_build_is_done_anew(tmp_path: Path) -> None:
    """What a killed process left half-built is removed, and its lock does not block the next one."""
    folder, count = tmp_path / "folder", tmp_path / "count"
    killed = builder(folder, count, 1000.0)
    wait_for(folder / "first half", killed)
    (folder / "rubbish").touch()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert builder(folder, count, 0.0).wait() == 0
    assert sorted(path.name for path in folder.iterdir()) == [MARKER, "first half", "second half"]


def test_failed_build_leaves_nothing_and_the_next_succeeds(tmp_path: Path) -> None:
    """A failure while building reaches the caller, frees the space, and does not spoil the next try."""

    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise Failure("no luck", "try again")

    with pytest.raises(Failure, match="no luck"):
        build_once(tmp_path / "folder", fail)
    assert not (tmp_path / "folder").exists()
    build_once(tmp_path / "folder", lambda folder: (folder / "whole").touch())
    assert (tmp_path / "folder" / "whole").exists()


def test_complete_folder_is_left_alone(tmp_path: Path) -> None:
    """A second call on a complete folder neither builds nor removes."""
    build_once(tmp_path / "folder", lambda folder: (folder / "whole").touch())

    def never(folder: Path) -> None:
        raise AssertionError("built twice")

    assert build_once(tmp_path / "folder", never) == tmp_path / "folder"
    assert (tmp_path / "folder" / "whole").exists()


TOOL_USER = """
import sys
from pathlib import Path
from build_once import build_once
from run_tool import run_tool

folder = Path(sys.argv[1])
late = "import sys, time; open(sys.argv[2], 'w'); time.sleep(0.8); open(sys.argv[1] + '/late', 'w')"
tool = [sys.executable, "-c", late, str(folder), str(folder.with_name("started"))]
build_once(folder, lambda target: run_tool("working", tool, folder.with_name("log")))
"""


def test_tool_that_outlives_its_killed_builder_spoils_nothing(tmp_path: Path) -> None:
    """The next build waits for a tool that a killed process left at work."""
    folder = tmp_path / "folder"
    killed = subprocess.Popen(
        [sys.executable, "-c", TOOL_USER, str(folder)],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        stderr=subprocess.DEVNULL,
    )
    wait_for(tmp_path / "started", killed)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert builder(folder, tmp_path / "count", 0.0).wait() == 0
    time.sleep(1.2)
    assert sorted(path.name for path in folder.iterdir()) == [MARKER, "first half", "second half"]
