"""What makes a style: the finish of the drawings and the tone of the ground, never the shapes.

A shape cannot be moved from one subject to another, which is what style transfer is measured by; so every
drawing comes in every style.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Rim:
    """A band round the drawing: grays from the inside out, each as wide as its share of the side."""

    bands: tuple[tuple[float, float], ...]  # (width, tone 0..1)

    @property
    def width(self) -> float:
        return sum(width for width, _ in self.bands)


RIMS: dict[str, Rim] = {
    "cartoon": Rim(((0.06, 0.08),)),
    "sticker": Rim(((0.075, 1.0), (0.02, 0.5))),
}


# What the ground's red, green and blue are multiplied by: warm, lilac and dark.
TINTS = {"clay": (0.93, 0.76, 0.62), "flat": (0.80, 0.72, 0.96), "sticker": (0.42, 0.47, 0.60)}
SATURATION = {"ink": 0.0, "cartoon": 3.0}


def ground(style: str, colours: Plane) -> Plane:
    """The background (H, W, 3), 0..255, as the style paints it: ink in grays, cartoon in strong colours."""
    gray = colours.mean(-1, keepdims=True)
    painted = gray + SATURATION.get(style, 1.0) * (colours - gray)
    tint = np.asarray(TINTS.get(style, (1.0, 1.0, 1.0)), np.float32)
    return np.clip(painted * tint, 0, 255).astype(np.float32)


def margin(style: str) -> float:
    """What the style's rim needs on each side of a drawing, as a share of its cell's side."""
    return RIMS[style].width + 0.005 if style in RIMS else 0.0


def finish(style: str, luminance: Plane, coverage: Plane) -> Plane:
    """(size, size, 4), each 0..1: the drawing's luminance and coverage, its rim's tone and coverage.

    clay is lit from above, flat has little contrast, ink is all dark and light, cartoon has a dark outline,
    sticker a white edge.
    """
    if style == "clay":
        luminance = _lit(luminance, coverage)
    elif style == "flat":
        luminance = 0.5 + 0.6 * (luminance - 0.5)
    elif style == "ink":
        luminance = 0.5 + 4 * (luminance - 0.5)
    tone, rim = _rim(RIMS[style], coverage) if style in RIMS else (coverage * 0, coverage * 0)
    return np.stack([np.clip(luminance, 0, 1), coverage, tone, rim], -1).astype(np.float32)


def _lit(luminance: Plane, coverage: Plane) -> Plane:
    """Light above, dark below: about a third of the ramp each way, over the drawing's own height."""
    rows = np.nonzero(coverage.max(1) > 0.5)[0]
    y = (np.arange(len(coverage)) - rows[0]) / max(rows[-1] - rows[0], 1)
    light = 0.36 * (1 - 2 * np.clip(y, 0, 1))
    return 0.5 + 0.6 * (luminance - 0.5) + light[:, None].astype(np.float32)


def _rim(rim: Rim, coverage: Plane) -> tuple[Plane, Plane]:
    """Tone and coverage of the rim; it goes on under the drawing, so that no gap shows between the two."""
    from scipy.ndimage import distance_transform_edt

    distance = distance_transform_edt(coverage < 0.5) / len(coverage)
    ends = np.cumsum([width for width, _ in rim.bands])
    tones = np.array([tone for _, tone in rim.bands], np.float32)
    tone = tones[np.minimum(np.searchsorted(ends, distance), len(tones) - 1)]
    return tone, np.clip((rim.width - distance) * len(coverage) + 0.5, 0, 1).astype(np.float32)
