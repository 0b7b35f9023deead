"""Run pip or uv: show how far it is on one line, and turn what it complains about into a failure."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from failures import Failure, disk_full

EVERY = 5.0
PROGRESS = re.compile(
    r"\s*(Resolved|Downloading|Downloaded|Preparing|Prepared|Installing|Installed|Collecting)\b"
)
FULL = re.compile(
    r"No space left on device|os error 28\b|Disk quota exceeded|File too large|not enough space", re.I
)
DAMAGED = re.compile(r"DO NOT MATCH THE HASHES|hash mismatch", re.I)
CUT_SHORT = re.compile(
    r"IncompleteRead|incomplete-download|error decoding response body|unexpected end of file|"
    r"Connection broken",
    re.I,
)
UNREACHABLE = re.compile(
    r"Failed to establish a new connection|Failed to fetch|Could not connect|dns error|"
    r"error sending request|Name or service not known|name resolution|Network is unreachable|"
    r"Connection refused|timed out|ProxyError|SSLError|certificate verify failed|"
    r"No matching distribution found",
    re.I,
)


def run_tool(doing: str, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> None:
    """Run `command` with its output in `log`.

    Raises Failure, with the reason found in the output, if it ends with a status other than zero.
    """
    lines: list[str] = []
    with log.open("a", encoding="utf-8") as copy, StatusLine(doing) as status, subprocess.Popen(
        command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        encoding="utf-8", errors="replace", cwd=log.parent, close_fds=False,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            for line in process.stdout:
                copy.write(line)
                lines.append(line.strip())
                if PROGRESS.match(line):
                    status.show(line.strip())
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise diagnose(doing, lines, log)


def diagnose(doing: str, lines: Sequence[str], log: Path) -> Failure:
    """The failure that a tool's output tells of."""
    output = "\n".join(lines)
    if FULL.search(output):
        return disk_full(f" while {doing}")
    if DAMAGED.search(output):
        return Failure(
            f"the file that came while {doing} is not the one that was asked for (its SHA-256 differs)",
            "run the command again; if that does not help, the index or a proxy serves a changed file",
        )
    if CUT_SHORT.search(output):
        return Failure(f"the download was cut short while {doing}", "run the command again")
    if UNREACHABLE.search(output):
        return Failure(
            f"the package index cannot be reached, or lacks what is asked for, while {doing}",
            "check the network, or the index and proxy settings of pip (PIP_INDEX_URL) and uv "
            "(UV_DEFAULT_INDEX), and run the command again",
        )
    errors = [line for line in lines if line.lower().startswith("error")] or [line for line in lines if line]
    last = errors[-1][:200] if errors else "no message"
    return Failure(f"{doing} failed ({last})", f"see {log}, mend this and run the command again")


class StatusLine:
    """One line on standard error: overwritten on a terminal, elsewhere a new one every few seconds."""

    def __init__(self, doing: str) -> None:
        self.doing = doing
        self.live = sys.stderr.isatty()
        self.next = 0.0

    def __enter__(self) -> StatusLine:
        self.show("")
        return self

    def __exit__(self, *exception: object) -> None:
        if self.live:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def show(self, text: str) -> None:
        now = time.monotonic()
        if not self.live and now < self.next:
            return
        self.next = now + EVERY
        line = f"{self.doing}: {text}"[:100] if text else f"{self.doing} ..."
        end = "" if self.live else "\n"
        print(("\r\x1b[K" if self.live else "") + line, end=end, file=sys.stderr, flush=True)
