"""Positions as rotations: how a transformer turns the queries and keys of the picture's tokens.

RoPE (Su et al., 2021) rotates pairs of channels by position times frequency. Rotations compose, so what an
attention call holds is enough to turn keys back, or to move them elsewhere: a token at p + s has the rotation
of s times that of p.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class Axis:
    """One of the axes of positions, and the channels that it turns.

    A token in row r and column c of the grid stands at `start + r * by_row + c * by_column`.
    """

    channels: int  # two for each frequency
    theta: float  # frequency j of n is theta ** (-j / n)
    start: float = 0.0
    by_row: float = 0.0
    by_column: float = 0.0

    @property
    def frequencies(self) -> Tensor:
        """(channels / 2,) in float64, the highest first."""
        pairs = self.channels // 2
        return self.theta ** -(torch.arange(pairs, dtype=torch.float64) / pairs)


@dataclass(frozen=True)
class Rotary:
    """The rotations of one forward pass, of (..., N, d) with the tokens of the grid row by row.

    Positions are as the host numbers them, constant offsets included. With `halves` a pair is channel j and
    channel j + d / 2, otherwise it is two neighbours. All in float32 or better.
    """

    axes: tuple[Axis, ...]
    grid: tuple[int, int]
    halves: bool = False
    tables: dict[Hashable, tuple[Tensor, Tensor]] = field(default_factory=dict, compare=False, repr=False)

    def rotated(self, x: Tensor) -> Tensor:
        """As the host rotates what is in un-rotated space; in float32."""
        cos, sin = self._table("places", x, self._angles)
        return self._turned(x, cos, sin)

    def unrotated(self, x: Tensor) -> Tensor:
        """What the host has rotated, before it did; in float32."""
        cos, sin = self._table("places", x, self._angles)
        return self._turned(x, cos, -sin)

    def moved(self, x: Tensor, columns: float) -> Tensor:
        """Rotated queries or keys so many columns further to the right, in the type they came in."""

        def steps() -> Tensor:
            return torch.cat([axis.frequencies * axis.by_column * columns for axis in self.axes])

        return self._turned(x, *self._table(columns, x, steps)).to(x.dtype)

    def columns_beside(self, other: "Rotary") -> float:
        """How many columns the tokens of another picture move until they stand to the right of this one, its
        first column behind the last one here."""
        (own, theirs), *_ = [pair for pair in zip(self.axes, other.axes, strict=True) if pair[0].by_column]
        return self.grid[1] + (own.start - theirs.start) / own.by_column

    def weighed(self, x: Tensor, highest: float, lowest: float, power: float) -> Tensor:
        """Rotated queries or keys, each pair of channels times a weight of its frequency, in the type they
        came in: `highest` for the highest frequency of each axis, `lowest` for its lowest, and for number d
        of n between them the part (d / (n - 1)) ** power of the way. To weigh commutes with the rotation."""
        ranks = [torch.arange(axis.channels // 2) / max(axis.channels // 2 - 1, 1) for axis in self.axes]
        weights = highest + (lowest - highest) * torch.cat(ranks) ** power
        by_channel = torch.cat([weights, weights]) if self.halves else weights.repeat_interleave(2)
        return (x * by_channel.to(x.device, torch.promote_types(x.dtype, torch.float32))).to(x.dtype)

    def _table(self, name: Hashable, x: Tensor, angles: Callable[[], Tensor]) -> tuple[Tensor, Tensor]:
        """Cosines and sines on the device of x, in float32 or better; made once."""
        precise = torch.promote_types(x.dtype, torch.float32)
        key = (name, x.device, precise)
        if key not in self.tables:
            turned = angles()
            self.tables[key] = (turned.cos().to(x.device, precise), turned.sin().to(x.device, precise))
        return self.tables[key]

    def _angles(self) -> Tensor:
        """(N, d / 2) in float64."""
        height, width = self.grid
        rows = torch.arange(height, dtype=torch.float64)[:, None].expand(height, width).flatten()
        columns = torch.arange(width, dtype=torch.float64)[None].expand(height, width).flatten()
        places = (axis.start + rows * axis.by_row + columns * axis.by_column for axis in self.axes)
        pairs = zip(places, self.axes, strict=True)
        return torch.cat([place[:, None] * axis.frequencies for place, axis in pairs], dim=-1)

    def _turned(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x.to(cos.dtype)
        if self.halves:
            first, second = x.chunk(2, dim=-1)
            return torch.cat([cos * first - sin * second, sin * first + cos * second], dim=-1)
        first, second = x.unflatten(-1, (-1, 2)).unbind(-1)
        return torch.stack([cos * first - sin * second, sin * first + cos * second], dim=-1).flatten(-2)
