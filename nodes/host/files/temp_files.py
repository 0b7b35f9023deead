"""Pictures for the browser, in the temporary folder that the host serves and empties at its start."""

import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import folder_paths
import numpy as np
from numpy.typing import NDArray
from PIL import Image

SUBFOLDER = "attention_maps"
KEPT = 2**30  # bytes: the files of the last ten runs and more
FAST = 1  # zlib's level: half as long as its default, a fifth larger


def save_temp_png(pixels: NDArray[np.uint8]) -> dict[str, str]:
    """Write gray (h, w) or colour (h, w, 3) pixels; returns how the host's `/view` is asked for them.

    A file is named by its pixels: what is there already is not written again, and a browser that has it
    need not load it again.
    """
    pixels = np.ascontiguousarray(pixels)
    digest = hashlib.blake2b(
        pixels.tobytes(), digest_size=16, person=str(pixels.shape).encode()[:16]
    ).hexdigest()
    folder = Path(folder_paths.get_temp_directory(), SUBFOLDER)
    file = folder / f"{digest}.png"
    if not _renewed(file):
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f"{digest}.{uuid.uuid4().hex}.part"
        try:
            Image.fromarray(pixels).save(unfinished, format="PNG", compress_level=FAST)
            os.replace(unfinished, file)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
    return {"filename": file.name, "subfolder": SUBFOLDER, "type": "temp"}


def forget_oldest(kept: int = KEPT) -> None:
    """Remove what was written or used longest ago, until so many bytes are left; a long queue would fill the
    disk before the host empties the folder."""
    files = _there(Path(folder_paths.get_temp_directory(), SUBFOLDER))
    for path, found in sorted(files, key=lambda each: each[1].st_mtime_ns, reverse=True):
        kept -= found.st_size
        if kept < 0:
            path.unlink(missing_ok=True)


def _renewed(file: Path) -> bool:
    """Let a file count as used now; False if it is not there. Other servers may share the folder, so it may
    go at any time."""
    try:
        os.utime(file)
    except FileNotFoundError:
        return False
    return True


def _there(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """The pictures of a folder and what is known of them, but for those that go while we look."""
    for path in folder.glob("*.png"):
        try:
            found = path.stat()
        except FileNotFoundError:
            continue
        yield path, found
