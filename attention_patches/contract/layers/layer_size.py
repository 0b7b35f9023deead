"""How large a layer's queries are, and which sizes show outlines."""

import math
from collections.abc import Collection
from dataclasses import dataclass

ROWS = 16  # of the maps that authors look at in SD1.5, at 512 pixels; fewer show hardly an outline


@dataclass(frozen=True)
class LayerSize:
    """The queries of one layer for the run's latents."""

    grid: tuple[int, int]  # (height, width) in tokens
    heads: int
    width: int  # channels of one head

    @property
    def tokens(self) -> int:
        """Of one row."""
        return self.grid[0] * self.grid[1]

    @property
    def numbers(self) -> int:
        """In the queries of one row."""
        return self.tokens * self.heads * self.width


def rows_with_outlines(rows: Collection[int], height: int) -> int:
    """Of a model's grids of so many rows, those in which words have outlines: a quarter of the latents'
    height. Models that do not go down so far, as the demo model, hold no words in their coarsest layers: of
    these the coarsest grid of `ROWS`, or else the finest."""
    quarter = math.ceil(height / 4)
    least = quarter if min(rows) <= quarter else ROWS
    return min((row for row in rows if row >= least), default=max(rows))
