"""The sizes of windows in pixels, as users give them."""

from dataclasses import dataclass
from typing import Any

from ..host.facts.cells import cell_of
from ..host.families.family import Family

PIXELS = 8  # of a cell's side in most models, and the step of the inputs
LARGEST = 16384


@dataclass(frozen=True)
class Grid:
    """What windows of a model go by, in pixels: the side of a cell of its latents, and that of a token.

    A window is of whole tokens, as the host fills up half a one with what is not there; it begins at any
    cell.
    """

    cell: int = PIXELS
    token: int = PIXELS

    @classmethod
    def of(cls, model: Any, family: Family) -> "Grid":
        """Of a MODEL."""
        cell = cell_of(model)
        return cls(cell, cell * family.patch)

    def require(self, width: int, height: int, stride: int) -> None:
        """Raises ValueError unless windows of these sizes in pixels cover a picture."""
        for name, value in (("window_width", width), ("window_height", height)):
            self._require_multiple(name, value, self.token)
        self._require_multiple("stride", stride, self.cell)
        for name, value in (("window_width", width), ("window_height", height)):
            if stride > value:
                raise ValueError(
                    f"stride is {stride}, above {name} ({value}): between two windows there would be cells "
                    f"that belong to none. Take {value} at most."
                )

    def _require_multiple(self, name: str, value: int, of: int) -> None:
        if value % of or value < of:
            below = max(value // of, 1) * of
            what = "cells" if of == self.cell else "tokens of this model"
            raise ValueError(
                f"{name} is {value}, and windows go by {what} of {of} pixels. Take {below} or {below + of}."
            )
