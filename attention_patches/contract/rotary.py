"""Positions as rotations: how a transformer turns the queries and keys of the picture's tokens.

RoPE (Su et al., 2021) rotates pairs of channels by position times frequency. Rotations compose, so what an
attention call holds is enough to turn keys back, or to move them elsewhere: a token at p + s has the rotation
of s times that of p.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

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

    def rotated(self, x: Tensor) -> Tensor:
        """As the host rotates what is in un-rotated space; in float32."""
        return self._turned(x, self._angles)

    def unrotated(self, x: Tensor) -> Tensor:
        """What the host has rotated, before it did; in float32."""
        return self._turned(x, -self._angles)

    def moved(self, x: Tensor, columns: float) -> Tensor:
        """Rotated queries or keys so many columns further to the right, in the type they came in."""
        steps = [axis.frequencies * axis.by_column * columns for axis in self.axes]
        return self._turned(x, torch.cat(steps)).to(x.dtype)

    def weighed(self, x: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """Rotated queries or keys, each pair of channels times the weight of its frequency, in the type they
        came in; `weights` are (channels / 2,) for each axis. To weigh commutes with the rotation."""
        per_pair = torch.cat(list(weights)).to(x.device, torch.promote_types(x.dtype, torch.float32))
        return (x * self._by_channel(per_pair)).to(x.dtype)

    @cached_property
    def _angles(self) -> Tensor:
        """(N, d / 2) in float64."""
        height, width = self.grid
        rows = torch.arange(height, dtype=torch.float64)[:, None].expand(height, width).flatten()
        columns = torch.arange(width, dtype=torch.float64)[None].expand(height, width).flatten()
        places = (axis.start + rows * axis.by_row + columns * axis.by_column for axis in self.axes)
        pairs = zip(places, self.axes, strict=True)
        return torch.cat([place[:, None] * axis.frequencies for place, axis in pairs], dim=-1)

    def _turned(self, x: Tensor, angles: Tensor) -> Tensor:
        precise = torch.promote_types(x.dtype, torch.float32)
        cos, sin = (part.to(x.device, precise) for part in (angles.cos(), angles.sin()))
        x = x.to(precise)
        if self.halves:
            first, second = x.chunk(2, dim=-1)
            return torch.cat([cos * first - sin * second, sin * first + cos * second], dim=-1)
        first, second = x.unflatten(-1, (-1, 2)).unbind(-1)
        return torch.stack([cos * first - sin * second, sin * first + cos * second], dim=-1).flatten(-2)

    def _by_channel(self, per_pair: Tensor) -> Tensor:
        return torch.cat([per_pair, per_pair]) if self.halves else per_pair.repeat_interleave(2)
