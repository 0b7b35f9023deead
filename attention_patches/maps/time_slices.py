"""The time slices of recorded attention, and how users name them."""

import re
import reprlib
from collections.abc import Sequence

from .recorded import TimeSlice

ALL = "all"
_NUMBERS = r"(\d{1,9})(?:\s*-\s*(\d{1,9}))?"
_LEVEL = r"[01]?\.\d+|[01]\."


def later(slices: Sequence[TimeSlice]) -> tuple[int, ...] | None:
    """Indices of the slices in the later half of the noise schedule; None, which is all, if it has none."""
    return tuple(index for index, part in enumerate(slices) if part.time <= 0.5) or None


def parse_time(text: str, slices: Sequence[TimeSlice]) -> tuple[int, ...] | None:
    """Indices of the slices that `text` names, or None for all.

    `all`; a slice or an inclusive range of slices, `3` or `2-4`, counted from 1 at the start of the run; or,
    with a decimal point, a noise level from 1.0 (pure noise) to 0.0: the slice next to it. Raises ValueError
    that lists the slices.
    """
    stripped = text.strip()
    if stripped == ALL:
        return None
    if match := re.fullmatch(_NUMBERS, stripped):
        first, last = int(match[1]), int(match[2] or match[1])
        if 1 <= first <= last <= len(slices):
            return tuple(range(first - 1, last))
    elif re.fullmatch(_LEVEL, stripped) and float(stripped) <= 1:
        level = float(stripped)
        return (min(range(len(slices)), key=lambda index: abs(slices[index].time - level)),)
    there = ", ".join(f"{number} (t {part.time:.2f})" for number, part in enumerate(slices, 1))
    raise ValueError(
        f"time: {reprlib.repr(text)} names no recorded time slice. There are: {there}. Name them as 'all', "
        "'1', '1-2', or by a noise level with a decimal point, '0.62'."
    )
