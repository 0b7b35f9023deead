"""Maps of words of a whole picture, put together from those of the windows in which a model saw it.

The rows of a window's map are the cells of its own grid. Each is laid where it belongs in the grid of the
whole picture, and where windows overlap their mean is taken with the weights by which the picture itself is
put together. Where the picture is another prompt's alone, a map is 0.
"""

from torch import Tensor

from ..contract.site import Window
from ..numerics.overlaps import overlaps
from ..numerics.weighed_mean import WeighedMean

Grid = tuple[int, int]


def fits(window: Window, own: Grid, whole: Grid) -> bool:
    """Whether a layer that has `whole` on the picture has `own` on a window of it; sides are rounded up."""
    parts = (window.bottom - window.top, window.right - window.left)
    return all(abs(n - all_ * part) < 1 for n, all_, part in zip(own, whole, parts, strict=True))


def lay(mean: WeighedMean, map_: Tensor, share: Tensor, window: Window, own: Grid, whole: Grid) -> None:
    """Add the map of a window, (images, heads, h * w, columns) on its own grid, to the mean over a whole one.

    `share` (H, W), of any size, is how much of the picture each place in the window is.
    """
    rows, down = _places(window.top, window.bottom, own[0], whole[0])
    columns, across = _places(window.left, window.right, own[1], whole[1])
    down, across = down.to(map_), across.to(map_)
    weights = _on_grid(share, own).to(map_)  # (h, w)
    weighed = map_.unflatten(2, own) * weights[..., None]
    laid = (down @ (across @ weighed).flatten(-2)).unflatten(-1, (len(columns), -1))
    cells = (rows[:, None] * whole[1] + columns).flatten()
    mean.add_parts(laid.flatten(2, 3), (down @ weights @ across.T).flatten()[:, None], cells)


def _places(start: float, stop: float, own: int, whole: int) -> tuple[Tensor, Tensor]:
    """Which of the whole side's cells a window reaches, (n,), and which part of each of these its own cells
    are, (n, own)."""
    parts = overlaps(start, stop, own, whole).T * ((stop - start) * whole / own)
    reached = parts.any(1).nonzero().flatten()
    return reached, parts[reached]


def _on_grid(share: Tensor, grid: Grid) -> Tensor:
    """(h, w): the mean of shares in each cell of a grid."""
    rows, columns = (overlaps(0.0, 1.0, n, side) for n, side in zip(grid, share.shape, strict=True))
    return rows @ share.to(rows) @ columns.T
