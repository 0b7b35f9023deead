"""Pictures for the browser, in the temporary folder that the host serves and empties at its start."""

import hashlib
import os
import uuid
from pathlib import Path

import folder_paths
import numpy as np
from numpy.typing import NDArray
from PIL import Image

SUBFOLDER = "attention_maps"
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
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f"{digest}.{uuid.uuid4().hex}.part"
        Image.fromarray(pixels).save(unfinished, format="PNG", compress_level=FAST)
        os.replace(unfinished, file)
    return {"filename": file.name, "subfolder": SUBFOLDER, "type": "temp"}
