"""Where the places of one picture are found again in the others, as files for the browser."""

from collections.abc import Sequence

from ....attention_patches.maps.correspondence import correspondence_of
from ....attention_patches.maps.recorded import RecordedLayer
from ..view import MapView
from .atlas import shrunk_grid, shrunk_rows
from .detail import affordable, pair_limit, spread
from .row_files import Entries, Save, row_files

TOO_LARGE = (
    "correspondence: for {images} pictures of {tokens} tokens it takes too long to find the counterparts of "
    "all places, so none are shown here; the outputs have those of the point. Record layers with fewer "
    "tokens, or fewer pictures, to see them here."
)


def counterparts(view: MapView, save: Save, image: int) -> Entries:
    """The files of one picture: by layer, other picture and time; none if they would take too long."""
    maps, role = view.maps, view.role
    others = [other for other in range(maps.images) if other != image]
    layers = _layers(view) if others else []
    most = max((len(slices) for _, _, slices in layers), default=0)
    limit = pair_limit([layer.grid for _, layer, _ in layers], _pairs(view), most) if layers else 0
    entries: Entries = []
    for n, layer, slices in layers if limit else ():
        grid = shrunk_grid(layer.grid, limit)
        mean = limit if len(slices) == len(maps.slices) else 0
        for other in others:
            rows = [correspondence_of(layer, (image, other), role, [s]) for s in slices]
            small = [shrunk_rows(x, layer.grid, limit) for x in rows]
            found = row_files(save, n, small, grid, slices, mean, limit)
            entries += [{**x, "other": other, "other_grid": x["grid"]} for x in found]
    return entries


def too_large(view: MapView) -> str:
    """Why there are none, though queries were recorded."""
    tokens = [h * w for h, w in (x.grid for x in view.maps.layers if view.role in x.queries)]
    return TOO_LARGE.format(images=view.maps.images, tokens=min(tokens)) if tokens else ""


def _layers(view: MapView) -> list[tuple[int, RecordedLayer, Sequence[int]]]:
    """The layers that are sent, by their numbers, and the times of each: those asked for go first."""
    kept = [(n, x) for n, x in enumerate(view.maps.layers) if view.role in x.queries]
    asked = view.layers or ()
    by_use = sorted(kept, key=lambda pair: (pair[1].layer.ordinal in asked, pair[0]), reverse=True)
    counts = {x.layer.ordinal: n for x, n in affordable([x for _, x in by_use], view.role, _pairs(view))}
    return [(n, x, _slices(view, counts[x.layer.ordinal])) for n, x in kept if x.layer.ordinal in counts]


def _slices(view: MapView, count: int) -> Sequence[int]:
    """All times if there are so many, else so many of those that are asked for."""
    every = range(len(view.maps.slices))
    asked = every if view.slices is None else view.slices
    return every if count >= len(every) else spread(asked, min(count, len(asked)))


def _pairs(view: MapView) -> int:
    return view.maps.images * (view.maps.images - 1)
