"""Colour maps for heat: a few colours each, joined by straight lines.

Magma, inferno and viridis have even steps to the eye and grow steadily brighter (van der Walt and Smith,
2015, public domain); turbo is a rainbow that misleads less than others (Mikhailov, 2019, Apache-2.0).
"""

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


def colour_table(name: str) -> Tensor:
    """(256, 3) in 0..1, from the lowest value to the highest."""
    stops = np.array([list(bytes.fromhex(colour)) for colour in COLOURS[name].split()]) / 255
    places = np.linspace(0, len(stops) - 1, 256)
    channels = [np.interp(places, np.arange(len(stops)), stops[:, channel]) for channel in range(3)]
    return torch.from_numpy(np.stack(channels, axis=1)).float()


def coloured(heat: Tensor, name: str) -> Tensor:
    """Heat (h, w) in 0..1 as colours (h, w, 3)."""
    return colour_table(name)[(heat.clamp(0, 1) * 255).round().long()]
