"""A call of the sampler made of several views of the picture: what a method may ask for in its place."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from .call.site import Window
from .schedule import PercentRange


@dataclass(frozen=True)
class Cells:
    """A part of latents, in cells. Behind the right edge it goes round to the left one."""

    top: int
    left: int
    height: int
    width: int

    def window(self, size: tuple[int, int]) -> Window:
        """The same in fractions of latents of (height, width) cells."""
        height, width = size
        bottom, right = self.top + self.height, self.left + self.width
        return Window(self.top / height, self.left / width, bottom / height, right / width)

    def cut(self, x: Tensor) -> Tensor:
        """This part (..., height, width) of x (..., H, W); a view of it, unless it goes round."""
        spans = [x[..., self.top : self.top + self.height, span] for span in self._columns(x.shape[-1])]
        return spans[0] if len(spans) == 1 else torch.cat(spans, -1)

    def add(self, to: Tensor, x: Tensor) -> None:
        """Add x (..., height, width) to this part of `to` (..., H, W), in place."""
        taken = 0
        for span in self._columns(to.shape[-1]):
            width = span.stop - span.start
            to[..., self.top : self.top + self.height, span] += x[..., taken : taken + width]
            taken += width

    def _columns(self, width: int) -> list[slice]:
        right = self.left + self.width
        if right <= width:
            return [slice(self.left, right)]
        return [slice(self.left, width), slice(0, right - width)]


@dataclass(frozen=True)
class View:
    """A part of the picture under some prompts: the sampler's own, or those of a region, counted from 0.

    `share` (1 or B, h, w) is how much of the picture each of its cells is: those of all views of a cell add
    up to 1.
    """

    cells: Cells
    region: int | None = None
    share: Tensor | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class RegionPrompts:
    """Conditionings, as the host's nodes hand them on, in place of the sampler's positive and negative;
    without a negative the sampler's stays, and while the positive does not hold, both of them."""

    positive: object
    negative: object | None = None


class Through(Protocol):
    """The model, in one call of the sampler."""

    @property
    def sigma(self) -> float: ...

    def within(self, range_: PercentRange) -> bool:
        """Whether sigma lies in a range of the schedule."""
        ...

    def stands(self, region: int) -> bool:
        """Whether a region has a prompt of its own at sigma; else it shows the sampler's."""
        ...

    def noised(self, picture: Tensor, noise: Tensor) -> Tensor:
        """A picture under this noise at sigma, as the model has it; both broadcast to (B, C, h, w)."""
        ...

    def __call__(self, views: Sequence[View], latents: Sequence[Tensor]) -> Tensor:
        """The latents (B, C, h, w) of each of these views, all of one size, through the model together; gives
        the pictures expected there, (views, P, B, C, h, w) under each of the P prompts that the guider asks
        for (positive, negative, ...), before any guidance."""
        ...


@runtime_checkable
class ViewingPart(Protocol):
    """Takes the place of the model's look at the whole picture, within the method's range. What the sampler,
    the guider and other methods do round a call they do as ever; there is one such part at a time."""

    def expect(self, latents: Tensor, through: Through) -> Tensor | None:
        """Latents (B, C, H, W) to the pictures expected there, (P, B, C, H, W); None if the whole picture
        should be looked at as it is."""
        ...
