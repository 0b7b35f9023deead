"""How much of the recorded attention goes to the browser: as fine as a budget allows."""

from collections.abc import Callable, Iterable, Sequence

from ....attention_patches.maps.recorded import RecordedLayer
from .atlas import shrunk_grid

MEGABYTE = 2**20
CROSS_BYTES = 16 * MEGABYTE  # of 8-bit values; as PNG files about a third to two thirds of it
SELF_BYTES = 48 * MEGABYTE
CORRESPONDENCE_BYTES = 24 * MEGABYTE
CORRESPONDENCE_WORK = 2 * 10**9  # probabilities to compute: some seconds on two cores
WIDEST = 32767  # pixels of a side: a browser's canvas of more stays blank

Grid = tuple[int, int]


def finest(grids: Iterable[Grid]) -> Grid:
    return max(grids, key=_cells)


def tile_limits(grids: Sequence[Grid], tiles: int) -> tuple[int, int]:
    """Cells of a tile in the atlas of the mean over layers, and in those of single layers."""
    best = finest(grids)
    mean, single = fitting(
        [
            lambda limit: tiles * _cells(shrunk_grid(best, limit)),
            lambda limit: tiles * sum(_cells(shrunk_grid(grid, limit)) for grid in grids),
        ],
        CROSS_BYTES,
        (4096, 1024, 256, 64),
    )
    return mean, single


def drawable(grid: Grid, limit: int, rows: int, columns: int) -> int:
    """At most `limit` cells, with which so many rows and columns of tiles are no more than browsers draw."""
    while limit > 1:
        height, width = shrunk_grid(grid, limit)
        if rows * height <= WIDEST and columns * width <= WIDEST:
            break
        limit = max(1, height * width - 1)
    return limit


def row_limits(grids: Sequence[Grid], images: int, slices: int) -> tuple[int, int, int]:
    """Tokens of a self-attention atlas: of the mean over layers at each time, of each layer's mean over time,
    and of each layer at each time."""
    best = finest(grids)
    mean, layer, moment = fitting(
        [
            lambda limit: images * (slices + 1) * _square(best, limit),
            lambda limit: images * sum(_square(grid, limit) for grid in grids),
            lambda limit: images * slices * sum(_square(grid, limit) for grid in grids),
        ],
        SELF_BYTES,
    )
    return mean, layer, moment


def pair_limit(grids: Sequence[Grid], pairs: int, slices: int) -> int:
    """Tokens of a correspondence atlas."""
    (limit,) = fitting(
        [lambda limit: pairs * (slices + 1) * sum(_square(grid, limit) for grid in grids)],
        CORRESPONDENCE_BYTES,
    )
    return limit


def affordable(layers: Sequence[RecordedLayer], role: str, pairs: int) -> list[tuple[RecordedLayer, int]]:
    """Layers, the first first, and how many of their slices, whose correspondence takes a few seconds.

    Of those that fit all slices; where none does, as many of one layer as fit.
    """
    left, whole = CORRESPONDENCE_WORK, []
    for layer in layers:
        slices, each = _work(layer, role, pairs)
        if slices * each <= left:
            left -= slices * each
            whole.append((layer, slices))
    parts = ((layer, CORRESPONDENCE_WORK // _work(layer, role, pairs)[1]) for layer in layers)
    return whole or [(layer, slices) for layer, slices in parts if slices][:1]


def _work(layer: RecordedLayer, role: str, pairs: int) -> tuple[int, int]:
    """The slices of a layer, and the probabilities to compute for each."""
    slices, _, heads, tokens, _ = layer.queries[role].shape
    return slices, pairs * heads * tokens**2


def spread(places: Sequence[int], count: int) -> list[int]:
    """So many of these places, apart from each other by equal steps; the one in the middle first."""
    chosen = [places[(2 * n + 1) * len(places) // (2 * count)] for n in range(count)] if count else []
    middle = places[len(places) // 2]
    return sorted(chosen, key=lambda place: abs(place - middle))


def fitting(
    sizes: Sequence[Callable[[int], int]], budget: int, limits: Sequence[int] = (1024, 256, 64)
) -> list[int]:
    """For each group in turn the largest limit at which its bytes fit into what is left; 0 if none does."""
    chosen = []
    for size in sizes:
        limit = next((limit for limit in limits if size(limit) <= budget), 0)
        budget -= size(limit) if limit else 0
        chosen.append(limit)
    return chosen


def _cells(grid: Grid) -> int:
    return grid[0] * grid[1]


def _square(grid: Grid, limit: int) -> int:
    return _cells(shrunk_grid(grid, limit)) ** 2
