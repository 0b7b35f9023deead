"""Colours of subjects; and colour maps for heat: a few colours each, joined by straight lines.

Magma, inferno and viridis have even steps to the eye and grow steadily brighter (van der Walt and Smith,
2015, public domain); turbo is a rainbow that misleads less than others (Mikhailov, 2019, Apache-2.0).
"""

import colorsys

import numpy as np
import torch
from torch import Tensor

COLOURS = {
    "magma": "000004 180f3e 451077 721f81 9f2f7f cd4071 f1605d fd9567 fec98d fcfdbf",
    "inferno": "000004 1b0c42 4b0c6b 781c6d a52c60 cf4446 ed6925 fb9a06 f7d03c fcffa4",
    "viridis": "440154 482878 3e4a89 31688e 26828e 1f9e89 35b779 6dcd59 b4de2c fde725",
    "turbo": "30123b 4454c4 4490fe 1fc8de 29efa2 7dff56 c1f334 f1ca3a fe922a ea4f0d be2102 7a0403",
    "gray": "000000 ffffff",
}

HUES = (0.58, 0.06, 0.38, 0.88, 0.14, 0.74, 0.48, 0.98)  # far from one another, the first most of all


def colour_table(name: str) -> Tensor:
    """(256, 3) in 0..1, from the lowest value to the highest."""
    stops = (
        np.array([[int(colour[i : i + 2], 16) for i in (0, 2, 4)] for colour in COLOURS[name].split()]) / 255
    )
    places = np.linspace(0, len(stops) - 1, 256)
    channels = [np.interp(places, np.arange(len(stops)), stops[:, channel]) for channel in range(3)]
    return torch.from_numpy(np.stack(channels, axis=1)).float()


def coloured(heat: Tensor, name: str) -> Tensor:
    """Heat (h, w) in 0..1 as colours (h, w, 3)."""
    return colour_table(name)[(heat.clamp(0, 1) * 255).round().long()]


def subject_colour(subject: int | None) -> Tensor:
    """(3,) in 0..1; None is the background."""
    if subject is None:
        return torch.tensor([0.6, 0.6, 0.64])
    lap, place = divmod(subject, len(HUES))
    return torch.tensor(colorsys.hsv_to_rgb((HUES[place] + 0.04 * lap) % 1, 0.85 - 0.25 * (lap % 2), 1.0))


def colour_bytes(colour: Tensor) -> tuple[int, int, int]:
    """A colour in 0..1 as Pillow takes it."""
    red, green, blue = (colour * 255).round().int().tolist()
    return red, green, blue
