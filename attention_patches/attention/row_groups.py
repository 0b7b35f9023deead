"""The rows of a batch that see the same keys, taken together and put back."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import TypeVar

import torch
from torch import Tensor

Seen = TypeVar("Seen", bound=Hashable)
"""What tells one row from another, such as which keys it sees."""


@dataclass(frozen=True)
class RowGroup:
    """The same runs in each period of a batch. They are slices: no index tensors, so no device syncs."""

    rows: int  # of the batch, a multiple of the period
    period: int
    runs: tuple[slice, ...]

    @cached_property
    def taken(self) -> int:
        """Rows of the group in each period."""
        return sum(run.stop - run.start for run in self.runs)

    @property
    def size(self) -> int:
        """Rows of the group."""
        return self.rows // self.period * self.taken

    @cached_property
    def run(self) -> slice | None:
        """The group's rows of the whole batch, if they are one run there too."""
        if self.taken == self.period:
            return slice(0, self.rows)
        return self.runs[0] if len(self.runs) == 1 and self.period == self.rows else None

    def take(self, x: Tensor) -> Tensor:
        """The group's rows of (B, ...); a view where it can be."""
        if self.run is not None:
            return x[self.run]
        by_period = x.unflatten(0, (-1, self.period))
        if len(self.runs) == 1:
            return by_period[:, self.runs[0]].flatten(0, 1)
        return torch.cat([by_period[:, run] for run in self.runs], dim=1).flatten(0, 1)

    def shared(self, x: Tensor) -> Tensor:
        """The group's rows of (B, ...), or (1, ...) as it is: the same for all."""
        return x if x.shape[0] == 1 else self.take(x)

    def join(self, parts: list[Tensor], into: Tensor | None = None) -> Tensor:
        """The group's rows of (B, H, M_i, d) tensors, joined along the tokens; a view where it can be.

        A part may be (C, H, M, d): a row for each of C chunks, all of whose rows see the same. `into`
        (rows, H, M, d or more) is where they are written; what lies behind the first d stays as it is.
        """
        if len(parts) == 1 and into is None:
            if self.run is not None:
                return self.take(parts[0])
            return self.take(parts[0].transpose(1, 2)).transpose(1, 2)
        tokens, width = sum(part.shape[2] for part in parts), parts[0].shape[3]
        joined = empty_like_tokens(parts[0], self.size, tokens) if into is None else into
        by_period = joined[..., :width].unflatten(0, (-1, self.taken))
        row = 0
        for run in self.runs:
            slots = slice(row, row := row + run.stop - run.start)
            token = 0
            for part in parts:
                columns = slice(token, token := token + part.shape[2])
                by_period[:, slots, :, columns] = self._run_of(part, run)
        return joined

    def _run_of(self, part: Tensor, run: slice) -> Tensor:
        """(periods, rows of the run, H, M, d); one row in their place if all see the same."""
        images = self.rows // part.shape[0]
        first, last = run.start // images, (run.stop - 1) // images
        if images == 1 or first == last:
            return part.unflatten(0, (-1, self.period // images))[:, first : last + 1]
        return part.repeat_interleave(images, 0).unflatten(0, (-1, self.period))[:, run]

    def put(self, part: Tensor, out: Tensor) -> None:
        """Write the group's rows into the rows of `out` (B, ...) that they were taken from."""
        lengths = [run.stop - run.start for run in self.runs]
        pieces = part.unflatten(0, (-1, self.taken)).split(lengths, dim=1)
        for run, piece in zip(self.runs, pieces, strict=True):
            out.unflatten(0, (-1, self.period))[:, run] = piece


def row_groups(seen: Sequence[Seen], images: int) -> dict[Seen, RowGroup]:
    """What each row of a batch sees -> the rows that see just that, in as short a period as there is.

    images: rows that no period may split, a divisor of the number of rows. As a rule these are the images of
    a chunk, each chunk sees the same, and the chunks go together.
    """
    by_row, rows = tuple(seen), len(seen)
    periods = (p for p in range(images, rows + 1, images) if rows % p == 0)
    period = next(p for p in periods if by_row == by_row[:p] * (rows // p))
    runs: dict[Seen, list[slice]] = {}
    row = 0
    for visible, alike in groupby(by_row[:period]):
        run = slice(row, row := row + len(list(alike)))
        runs.setdefault(visible, []).append(run)
    return {visible: RowGroup(rows, period, tuple(found)) for visible, found in runs.items()}


def empty_like_tokens(x: Tensor, rows: int, tokens: int) -> Tensor:
    """(rows, H, tokens, d) that lies in memory as (rows, tokens, H, d), the layout the host projects from."""
    return x.new_empty(rows, tokens, x.shape[1], x.shape[3]).transpose(1, 2)
