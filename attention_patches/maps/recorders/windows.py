"""Maps of words of a whole picture, put together from those of the windows in which a model saw it.

The rows of a window's map are the cells of its own grid. Each is laid where it belongs in the grid of the
whole picture, and where windows overlap their mean is taken with the weights by which the picture itself is
put together. Where the picture is another prompt's alone, a map is 0.
"""

from dataclasses import dataclass

from torch import Tensor

from ...contract.call.site import Window
from ...numerics.overlaps import overlaps
from ...numerics.running_mean import RunningMean

Grid = tuple[int, int]


def fits(window: Window, own: Grid, whole: Grid) -> bool:
    """Whether a layer that has `whole` on the picture has `own` on a window of it; sides are rounded up."""
    parts = (window.bottom - window.top, window.right - window.left)
    return all(abs(n - all_ * part) < 1 for n, all_, part in zip(own, whole, parts, strict=True))


@dataclass(frozen=True, eq=False)
class Laying:
    """Where the cells of a window's own grid (h, w) belong in the whole one, of which it reaches n rows and m
    columns. `share` (1 or images, H, W), of any size, is how much of the picture each place in the window
    is."""

    share: Tensor
    own: Grid
    down: Tensor  # (n, h)
    across: Tensor  # (m, w)
    weights: Tensor  # (1 or images, 1, h, w)
    reached: Tensor  # (1 or images, 1, n * m, 1): what is added to each cell of the whole grid
    cells: Tensor  # (n * m,): which these are

    @classmethod
    def made(cls, share: Tensor, window: Window, own: Grid, whole: Grid, like: Tensor) -> "Laying":
        """For maps of this type and device."""
        rows, down = _places(window.top, window.bottom, own[0], whole[0])
        columns, across = _places(window.left, window.right, own[1], whole[1])
        down, across = down.to(like), across.to(like)
        weights = _on_grid(share, own).to(like)[:, None]
        reached = (down @ weights @ across.T).flatten(-2)[..., None]
        cells = (rows[:, None] * whole[1] + columns).flatten().to(like.device)
        return cls(share, own, down, across, weights, reached, cells)

    def of(self, share: Tensor, like: Tensor) -> bool:
        """Whether it is made of this share, for maps of this type and device."""
        return self.share is share and (self.down.dtype, self.down.device) == (like.dtype, like.device)

    def add(self, mean: RunningMean, map_: Tensor) -> None:
        """Add the map of the window, (images, heads, h * w, columns), to the mean over the whole picture."""
        weighed = map_.unflatten(2, self.own) * self.weights[..., None]
        laid = (self.down @ (self.across @ weighed).flatten(-2)).unflatten(-1, (len(self.across), -1))
        mean.add_parts(laid.flatten(2, 3), self.reached, self.cells)


def _places(start: float, stop: float, own: int, whole: int) -> tuple[Tensor, Tensor]:
    """Which of the whole side's cells a window reaches, (n,), and which part of each of these its own cells
    are, (n, own)."""
    parts = overlaps(start, stop, own, whole).T * ((stop - start) * whole / own)
    reached = parts.any(1).nonzero().flatten()
    return reached, parts[reached]


def _on_grid(share: Tensor, grid: Grid) -> Tensor:
    """(1 or images, h, w): the mean of shares in each cell of a grid."""
    rows, columns = (overlaps(0.0, 1.0, n, side) for n, side in zip(grid, share.shape[-2:], strict=True))
    return rows @ share.to(rows) @ columns.T
