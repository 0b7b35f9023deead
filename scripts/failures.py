"""Failures that speak: one line with the reason and the mend, and an exit status that is not zero."""

from __future__ import annotations

import errno
import signal
import sys
from collections.abc import Callable
from types import FrameType

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Failure(Exception):
    """Something that the user can mend: what happened, and what to do about it."""

    def __init__(self, reason: str, mend: str) -> None:
        super().__init__(f"{reason}: {mend}")
        self.reason = reason
        self.mend = mend


def of_os_error(error: OSError) -> Failure:
    """The failure behind an error of the operating system, such as a full disk."""
    where = f" at {error.filename}" if error.filename else ""
    if error.errno in FULL:
        return disk_full(where)
    if isinstance(error, PermissionError):
        return Failure(
            f"no permission{where}",
            "make it writable, or choose another cache folder with ATTENTION_CONTROL_CACHE "
            "or another output folder with --output",
        )
    return Failure(f"{error.strerror or error}{where}", "mend this and run the command again")


def disk_full(where: str = "") -> Failure:
    """The disk (or the quota, or the file size limit) is used up."""
    return Failure(
        f"the disk is full{where}",
        "free some space, or set ATTENTION_CONTROL_CACHE to a folder on a larger disk, and run it again",
    )


def command(main: Callable[[], int]) -> int:
    """Run `main` and return its exit status; a failure becomes one line on standard error."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        return main()
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"error: {of_os_error(error)}", file=sys.stderr)
    return 1


def _terminated(signum: int, frame: FrameType | None) -> None:
    """Turn SIGTERM into an ordinary exit, so that every `finally` runs."""
    raise SystemExit(128 + signum)
