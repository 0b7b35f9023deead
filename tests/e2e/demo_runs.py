"""The demo command, run as a user would."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from .host_under_test import comfyui


@dataclass(frozen=True)
class Served:
    """The web UI that the demo serves: its process, the one line that it printed, and where all that it keeps
    lies."""

    process: subprocess.Popen[str]
    address: str
    temporary: Path

    @property
    def base(self) -> Path:
        return self.temporary / "cache" / "web-ui"


def demo(checkout: Path, temporary: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the demo of a checkout with the host under test."""
    env = {
        **os.environ,
        "COMFYUI_PATH": str(comfyui()),
        "COMFYUI_PYTHON": sys.executable,
        "TMPDIR": str(temporary),
        "ATTENTION_CONTROL_CACHE": str(temporary / "cache"),
    }
    command = [sys.executable, str(checkout / "scripts" / "demo.py"), *arguments]
    return subprocess.Popen(
        command,
        cwd=checkout,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # as from a terminal: a suite that runs in the background hands on that Ctrl-C is ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def processes_of(folder: Path) -> Iterator[psutil.Process]:
    """The processes whose command line names something in `folder`."""
    for process in psutil.process_iter():
        try:
            if any(str(folder) in word for word in process.cmdline()):
                yield process
        except psutil.Error:
            continue
