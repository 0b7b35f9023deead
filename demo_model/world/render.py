"""From a scene to pixels, with one mask and one box per subject."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import backgrounds
from .scene import Scene
from .sprites import Sprites
from .sunglasses import sunglasses
from .surfaces import ground
from .vocabulary import EVERY_COLOUR


@dataclass(frozen=True)
class Picture:
    """A rendered scene: image (H, W, 3) uint8, visible coverage per subject (n, H, W) in 0..1."""

    scene: Scene
    image: NDArray[np.uint8]
    masks: NDArray[np.float32]

    def boxes(self) -> list[tuple[int, int, int, int] | None]:
        """(left, top, right, bottom) of what is seen of each subject, right and bottom excluded."""
        return [_box(mask) for mask in self.masks]


def render(scene: Scene, sprites: Sprites) -> Picture:
    """Paint the background, then the subjects from back to front."""
    bare = backgrounds.draw(scene.background, scene.height, scene.width, scene.phase)
    canvas = ground(scene.style, bare)
    masks = np.zeros((len(scene.subjects), scene.height, scene.width), np.float32)
    for index, subject in enumerate(scene.subjects):
        tile = sprites.tile(subject.drawing, scene.style, subject.noun, subject.size)
        rows = slice(subject.top, subject.top + subject.size)
        columns = slice(subject.left, subject.left + subject.size)
        drawing, rim = tile[..., 1:2], tile[..., 3:]
        canvas[rows, columns] += (255 * tile[..., 2:3] - canvas[rows, columns]) * rim
        canvas[rows, columns] += (recolour(tile[..., 0], subject.colour) - canvas[rows, columns]) * drawing
        if subject.wears:
            glass = sunglasses(subject.drawing, scene.style, subject.noun, subject.size)
            worn = recolour(glass[..., 0], subject.wears)
            canvas[rows, columns] += (worn - canvas[rows, columns]) * glass[..., 1:]
            tile = np.maximum(tile, glass[..., 1:] * np.array([0, 1, 0, 0], np.float32))
        seen = np.maximum(tile[..., 1], tile[..., 3])
        masks[:index, rows, columns] *= 1 - seen
        masks[index, rows, columns] = seen
    return Picture(scene, np.clip(np.round(canvas), 0, 255).astype(np.uint8), masks)


def recolour(luminance: NDArray[np.float32], colour: str) -> NDArray[np.float32]:
    """(..., 3) in 0..255: the drawing's tones on the colour's ramp from dark over middle to light."""
    tones = np.asarray(EVERY_COLOUR[colour], np.float32)
    return np.stack([np.interp(luminance, (0.0, 0.5, 1.0), tones[:, c]) for c in range(3)], -1).astype(
        np.float32
    )


def _box(mask: NDArray[np.float32]) -> tuple[int, int, int, int] | None:
    rows, columns = np.nonzero(mask.max(1) > 0.5)[0], np.nonzero(mask.max(0) > 0.5)[0]
    if len(rows) == 0:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
