"""Starting and stopping a server: ports, links, last words, and nothing left behind."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from failures import Failure
from host_server import checked_port, free_port, prepare, running_server

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"
PYTHON = Path(sys.executable)

# Stands in for the host where only the process matters; tests/e2e has the real one.
SILENT_SERVER = "import time, sys\nprint(*sys.argv[1:], flush=True)\nwhile True:\n    time.sleep(0.05)\n"
STARTER = """
import subprocess, sys
guarded = subprocess.Popen([sys.executable, *sys.argv[1:]], stdin=subprocess.PIPE)
print(guarded.pid, flush=True)
guarded.wait()
"""


def test_free_port_can_be_listened_on() -> None:
    """The port that is given out is free, and checking it does not take it."""
    port = free_port()
    assert checked_port(port) == port
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))


def test_taken_port_is_named() -> None:
    """A port that somebody listens on is refused by number, with the way out."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with pytest.raises(Failure, match=f"port {port} .*--port"):
            checked_port(port)


@pytest.mark.parametrize("port", [-1, 65536])
def test_port_out_of_range_is_named(port: int) -> None:
    """A number that is no port is refused in the same way."""
    with pytest.raises(Failure, match=f"port {port} "):
        checked_port(port)


def test_checkout_becomes_a_custom_node_again_and_again(tmp_path: Path) -> None:
    """Preparing a base directory twice leaves one link to this checkout."""
    for _ in range(2):
        prepare(tmp_path)
        link = tmp_path / "custom_nodes" / "attention-control"
        assert link.is_symlink() and link.resolve() == ROOT


def test_checkout_is_copied_where_links_are_impossible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system refuses links, the pack's files are copied, and copied anew the next time."""

    def refuse(self: Path, target: Path, target_is_directory: bool = False) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    copy = tmp_path / "custom_nodes" / "attention-control"
    for _ in range(2):
        prepare(tmp_path)
        assert not copy.is_symlink()
        assert (copy / "__init__.py").read_bytes() == (ROOT / "__init__.py").read_bytes()
        assert not (copy / ".git").exists()
        (copy / "__init__.py").write_text("old")


def test_server_that_ends_while_starting_gives_its_last_words(tmp_path: Path) -> None:
    """The failure of a server that does not start quotes the end of its log."""
    (tmp_path / "main.py").write_text("raise SystemExit('no such device')")
    with (
        pytest.raises(Failure, match="no such device"),
        running_server(PYTHON, tmp_path, tmp_path / "base", tmp_path / "log"),
    ):
        raise AssertionError("started")


def test_guarded_process_ends_with_its_starter(tmp_path: Path) -> None:
    """Not even a starter that is killed outright leaves the server behind."""
    (tmp_path / "main.py").write_text(SILENT_SERVER)
    command = [sys.executable, "-c", STARTER, str(SCRIPTS / "guarded_main.py"), str(tmp_path / "main.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL) as starter:
        assert starter.stdout is not None
        guarded = psutil.Process(int(starter.stdout.readline()))
        starter.stdout.readline()
        starter.send_signal(signal.SIGKILL)
        starter.wait()
    psutil.wait_procs([guarded], timeout=60)
    assert not guarded.is_running()


def test_guard_hands_on_arguments_and_path(tmp_path: Path) -> None:
    """The host's main sees its own arguments, and its folder comes first where modules are looked for."""
    (tmp_path / "neighbour.py").write_text("WORD = 'found'")
    (tmp_path / "main.py").write_text(
        "import sys, neighbour\nprint(neighbour.WORD, sys.argv[1:], __name__, flush=True)"
    )
    command = [sys.executable, SCRIPTS / "guarded_main.py", tmp_path / "main.py", "--cpu", "1"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, cwd=os.sep) as process:
        assert process.stdout is not None
        assert process.stdout.read() == "found ['--cpu', '1'] __main__\n"
    assert process.returncode == 0


def test_guard_interrupts_even_where_interrupts_are_ignored(tmp_path: Path) -> None:
    """A server started from a background job, which ignores SIGINT, still stops in good order."""
    (tmp_path / "main.py").write_text(
        "import time\ntry:\n    print('up', flush=True)\n    while True: time.sleep(0.05)\n"
        "except KeyboardInterrupt: print('down', flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, SCRIPTS / "guarded_main.py", tmp_path / "main.py"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN) and None,
    ) as process:  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.stdin.close()
        assert process.stdout.read() == "down\n"
