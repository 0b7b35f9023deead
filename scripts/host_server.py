"""A real ComfyUI server on the loopback interface, with this checkout among its custom nodes."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bytecode import forget_bytecode
from failures import Failure
from pins import ROOT

LOOPBACK = "127.0.0.1"
START_LIMIT = 600.0
NOT_COPIED = (".git", "__pycache__", "output", ".*_cache")


@dataclass(frozen=True)
class Server:
    """A running server: where it listens, its process, its log and its base directory."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path
    base: Path

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def wait_until_ready(self) -> None:
        """Return when the server answers; raise Failure with its last words if it ends instead."""
        limit = time.monotonic() + START_LIMIT
        while not self._answers():
            if self.process.poll() is not None:
                raise Failure(f"the server ended while starting ({self.last_words()})", f"see {self.log}")
            if time.monotonic() > limit:
                raise Failure(f"the server does not answer after {START_LIMIT:.0f} s", f"see {self.log}")
            time.sleep(0.2)

    def _answers(self) -> bool:
        try:
            direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with direct.open(f"{self.address}/system_stats", timeout=5):
                return True
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return False

    def last_words(self) -> str:
        """The last line of the log that says anything."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "it said nothing")

    def stop(self) -> None:
        """Ask the server to stop and wait until it is gone."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def running_server(
    python: Path, comfyui: Path, base: Path, log: Path, port: int | None = None
) -> Iterator[Server]:
    """Start ComfyUI on `base`, writing to `log`, and stop it at the end, whatever happens in between.

    `port` None takes a free one. Raises Failure if the port is taken or the server does not start.
    """
    prepare(base)
    chosen = free_port() if port is None else checked_port(port)
    command = [
        *(str(python), str(ROOT / "scripts" / "guarded_main.py"), str(comfyui / "main.py")),
        *("--listen", LOOPBACK, "--port", str(chosen), "--base-directory", str(base)),
        *("--database-url", f"sqlite:///{base / 'user' / 'comfyui.db'}"),
        *("--disable-auto-launch", "--disable-api-nodes", *device_options(python)),
    ]
    with log.open("wb") as output:
        # A session of its own: Ctrl-C in the terminal reaches the starter alone, which then stops the server.
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    server = Server(chosen, process, log, base)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.stop()
        forget_bytecode(base)


def prepare(base: Path) -> None:
    """Make the base directory, with this checkout as a custom node."""
    for name in ("custom_nodes", "models", "input", "output", "temp", "user"):
        (base / name).mkdir(parents=True, exist_ok=True)
    link = base / "custom_nodes" / "attention-control"
    if link.is_symlink():
        link.unlink()
    elif link.exists():
        shutil.rmtree(link)
    try:
        link.symlink_to(ROOT, target_is_directory=True)
    except OSError:
        shutil.copytree(ROOT, link, ignore=shutil.ignore_patterns(*NOT_COPIED))


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def checked_port(port: int) -> int:
    """Return `port`; raise Failure if somebody listens on it."""
    with socket.socket() as probe:
        if os.name != "nt":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except (OSError, OverflowError) as error:
            raise Failure(
                f"port {port} cannot be used ({error})",
                "give another with --port, or leave --port out to take a free one",
            ) from error
    return port


def device_options(python: Path) -> list[str]:
    """`--cpu` unless torch sees an accelerator; slow to import, it is asked only where one might be."""
    devices = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg", "/dev/dri")
    if sys.platform == "linux" and not any(os.path.exists(device) for device in devices):
        return ["--cpu"]
    question = "import torch; print(torch.accelerator.is_available())"
    answer = subprocess.run([str(python), "-c", question], capture_output=True, text=True, check=False)
    return [] if answer.stdout.strip() == "True" else ["--cpu"]
