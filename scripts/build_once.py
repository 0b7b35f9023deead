"""Build a folder once, whatever happens: two runs at a time, a killed run, a full disk."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

MARKER = "complete"


def build_once(folder: Path, build: Callable[[Path], None]) -> Path:
    """Return `folder`, after `build(folder)` has filled it; a folder left half-built is built anew.

    Only the run that holds the lock beside the folder builds; the others wait and find it done. The marker is
    written last, so its absence means that an earlier run was cut short.
    """
    marker = folder / MARKER
    if marker.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_name(folder.name + ".lock")):
        if marker.exists():
            return folder
        remove(folder)
        folder.mkdir()
        try:
            build(folder)
            marker.touch()
        except BaseException:
            remove(folder)
            raise
    return folder


def remove(folder: Path) -> None:
    """Remove a folder that may be there."""
    if folder.exists():
        shutil.rmtree(folder)


@contextlib.contextmanager
def locked_at_once(path: Path) -> Iterator[bool]:
    """Hold the lock file `path` if nobody else does, and say whether it is held."""
    with path.open("a+") as file:
        held = _take(file, wait=False)
        try:
            yield held
        finally:
            if held:
                _release(file)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, waiting for its holder; the system lets it go when its process ends.

    Tools started by `run_tool` inherit the lock: if this process is killed, it lasts until they end.
    """
    with path.open("a+") as file:
        os.set_inheritable(file.fileno(), sys.platform != "win32")
        if not _take(file, wait=False):
            print(f"another run is at work (lock {path}); waiting for it", file=sys.stderr)
            while not _take(file, wait=True):
                pass
        try:
            yield
        finally:
            _release(file)


if sys.platform == "win32":
    import msvcrt

    def _take(file: IO[str], wait: bool) -> bool:
        """Lock the first byte; Windows itself gives up waiting after ten seconds."""
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _release(file: IO[str]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _take(file: IO[str], wait: bool) -> bool:
        """Lock the whole file."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True

    def _release(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
