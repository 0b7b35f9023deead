"""Sunglasses, drawn from a few lines of arithmetic on the faces that look at us."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from .surfaces import Plane, finish, margin
from .vocabulary import DRAWINGS

# Noun -> per set of drawings: the middle between the eyes (x, y) and their distance, in sides of the drawing.
_EYES: dict[str, tuple[tuple[float, float, float], ...]] = {
    "cat": ((0.50, 0.58, 0.25), (0.50, 0.58, 0.25), (0.50, 0.52, 0.37), (0.50, 0.56, 0.33)),
    "dog": ((0.50, 0.43, 0.24), (0.50, 0.43, 0.24), (0.50, 0.55, 0.34), (0.50, 0.44, 0.29)),
    "fox": ((0.50, 0.58, 0.24), (0.50, 0.58, 0.24), (0.50, 0.56, 0.27), (0.50, 0.49, 0.33)),
    "rabbit": ((0.50, 0.57, 0.24), (0.50, 0.57, 0.24), (0.50, 0.60, 0.24), (0.50, 0.67, 0.30)),
    "frog": ((0.50, 0.26, 0.41), (0.50, 0.26, 0.41), (0.50, 0.33, 0.47), (0.50, 0.21, 0.56)),
    "owl": ((0.50, 0.30, 0.33), (0.50, 0.30, 0.33), (0.50, 0.33, 0.25), (0.50, 0.23, 0.33)),
}
WEARERS = tuple(_EYES)
_FINE = 3  # samples per pixel and axis


@cache
def sunglasses(drawing: str, style: str, noun: str, size: int) -> NDArray[np.float32]:
    """(size, size, 2), each 0..1: luminance and coverage of the glasses in the cell of their wearer."""
    x, y, distance = _EYES[noun][DRAWINGS.index(drawing)]
    shrink = 1 - 2 * margin(style)
    centre_x, centre_y, unit = 0.5 + (x - 0.5) * shrink, 0.5 + (y - 0.5) * shrink, distance * shrink
    # Only where they are: in distances of the eyes they reach from -1.1 to 1.1, from -0.4 to 0.4.
    top, left = (max(int((c - r * unit) * size) - 1, 0) for c, r in ((centre_y, 0.4), (centre_x, 1.1)))
    bottom, end = (min(int((c + r * unit) * size) + 2, size) for c, r in ((centre_y, 0.4), (centre_x, 1.1)))
    rows = ((np.arange(top * _FINE, bottom * _FINE) + 0.5) / (size * _FINE) - centre_y)[:, None] / unit
    columns = ((np.arange(left * _FINE, end * _FINE) + 0.5) / (size * _FINE) - centre_x)[None] / unit
    cells = (bottom - top, _FINE, end - left, _FINE)
    tone, cover = _draw(columns + 0 * rows, rows + 0 * columns)
    tone = finish(style, tone, cover)[..., 0]
    coverage = cover.reshape(cells).mean((1, 3))
    luminance = (tone * cover).reshape(cells).mean((1, 3)) / np.maximum(coverage, 1e-4)
    drawn = np.zeros((size, size, 2), np.float32)
    drawn[top:bottom, left:end] = np.stack([luminance, coverage], -1)
    return drawn


def _draw(right: NDArray[np.float64], down: NDArray[np.float64]) -> tuple[Plane, Plane]:
    """Tone and coverage at places in distances of the eyes: the lenses stand at -0.5 and 0.5."""
    lens = np.abs((np.abs(right) - 0.5) / 0.46) ** 3 + np.abs(down / 0.37) ** 3
    bar = (np.abs(right) < 1.04) & (np.abs(down + 0.14) < 0.08)
    glint = np.abs(np.where(right < 0, right + 0.5, right - 0.5) + 0.8 * down + 0.12) < 0.09
    tone = np.where(lens < 0.6, np.where(glint, 0.9, 0.36), 0.12)
    return tone.astype(np.float32), ((lens < 1) | bar).astype(np.float32)
