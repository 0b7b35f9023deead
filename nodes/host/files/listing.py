"""The files below a folder, read again only where a folder has changed.

The host keeps the lists of its own model folders so, but whoever has it keep one of the output folder makes
that a folder of models: for its model library, its uploads and its search for assets. And it walks the whole
tree again after each change, which in an output folder is after each picture.
"""

import os
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

SETTLED = 3 * 10**9  # ns after which a folder's time tells a further change, on any file system
Names = tuple[tuple[str, ...], tuple[str, ...]]


def files_below(folder: str, ending: str) -> Iterator[Path]:
    """The files with this ending in the folder and its subfolders, in no order; links to folders stay closed.

    A folder that cannot be read counts as empty.
    """
    try:
        state = os.stat(folder)
        read = _read if time.time_ns() - state.st_mtime_ns > SETTLED else _read.__wrapped__
        files, folders = read(folder, ending, state.st_mtime_ns, state.st_ino)
    except OSError:
        return
    yield from (Path(folder, name) for name in files)
    for name in folders:
        yield from files_below(os.path.join(folder, name), ending)


@lru_cache(maxsize=1 << 14)
def _read(folder: str, ending: str, changed: int, number: int) -> Names:
    """Names of files and of folders in a folder, which is this one (`number`) since it `changed`."""
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False), entry.is_file()) for entry in entries]
    return (
        tuple(name for name, _is_folder, is_file in found if is_file and name.endswith(ending)),
        tuple(name for name, is_folder, _is_file in found if is_folder),
    )
