"""Compiled Python files, which the commands keep in one place of the cache folder."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path


def forget_bytecode(folder: Path) -> None:
    """Remove what the cache keeps of Python files in a folder that is there for one run only."""
    if (kept := bytecode_of(folder)) is not None:
        shutil.rmtree(kept, ignore_errors=True)


def bytecode_of(folder: Path) -> Path | None:
    """Where the bytecode of a folder's files lies, if all bytecode lies in one place."""
    if sys.pycache_prefix is None:
        return None
    absolute = folder.absolute()
    return Path(sys.pycache_prefix) / absolute.relative_to(absolute.anchor)
