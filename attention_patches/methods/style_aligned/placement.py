"""Where a reference's keys stand, in transformers whose positions are rotations; see `method.py`."""

from typing import Literal

from torch import Tensor

from ...contract.call.rotary import Rotary

Placement = Literal["beside", "same place", "untwisted"]

FREQUENCIES = ((0.25, 1.0), (0.75, 1.4))
"""Weights of the highest and of the lowest frequency at the start of the schedule, and at its end."""
POWER = 2.0  # by which weights go from the highest to the lowest frequency


def placed(
    keys: Tensor, rotary: Rotary | None, of_reference: Rotary | None, placement: Placement, percent: float
) -> Tensor:
    """The reference's keys (..., N, d) where the picture sees them that has this rotary, at a place of the
    schedule (0 is pure noise); as they are where nothing is rotated."""
    if rotary is None or of_reference is None or placement == "same place":
        return keys
    if placement == "beside":
        return rotary.moved(keys, columns=rotary.columns_beside(of_reference))
    start, end = FREQUENCIES
    highest, lowest = (a + (b - a) * percent for a, b in zip(start, end, strict=True))
    return rotary.weighed(keys, highest, lowest, POWER)
