"""The maps as 8-bit files for the browser.

- A cross-attention atlas has a column per word, a row per time slice, and a last row for the mean over all
  slices; 255 in a tile stands for `scale[row][column]`.
- In an atlas of self-attention or correspondence row n is where token n looks, divided by its maximum.
- `layer` None is the mean over layers (of self-attention: those of the finest grid), `slice` None over time.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....attention_patches.maps.averages import cross_of, self_of
from ....attention_patches.maps.components import Features, components
from ....attention_patches.maps.recorded import RecordedLayer
from ....attention_patches.maps.word_maps import word_maps
from ..captions import to_pillow
from ..view import MapView
from .atlas import shrunk, shrunk_grid, shrunk_rows, tile_atlas
from .counterparts import counterparts
from .detail import Grid, drawable, finest, row_limits, tile_limits
from .row_files import Entries, Save, row_files


class AtlasFiles:
    """The files of one view; `save` writes pixels and returns how the browser asks for them."""

    def __init__(self, view: MapView, save: Save) -> None:
        self.view, self.save, self.role = view, save, view.role
        self.slices = range(len(view.maps.slices))

    def cross(self, image: int) -> Entries:
        view, role = self.view, self.role
        if not view.words:
            return []
        layers = [(n, x) for n, x in enumerate(view.by_word.layers) if role in x.cross_attention]
        grids = [layer.grid for _, layer in layers]
        rows = [*([s] for s in self.slices), None]
        limit, layer_limit = tile_limits(grids, view.maps.images * len(rows) * len(view.words))
        best = finest(grids)
        mean = [word_maps(view.maps, view.words, best, image=image, role=role, slices=s) for s in rows]
        entries = [self._tiles(None, mean, limit)]
        if layer_limit:
            for n, layer in layers:
                entries.append(self._tiles(n, [cross_of(layer, image, role, s) for s in rows], layer_limit))
        return entries

    def _tiles(self, layer: int | None, rows: list[Tensor], limit: int) -> dict[str, Any]:
        maps = torch.stack(rows)
        grid = (maps.shape[-2], maps.shape[-1])
        maps = shrunk(maps, drawable(grid, max(limit, 64), *maps.shape[:2]))
        atlas, scale = tile_atlas(maps)
        tile = [maps.shape[-1], maps.shape[-2]]
        return {"layer": layer, "file": self.save(atlas), "tile": tile, "scale": scale}

    def own(self, image: int) -> Entries:
        maps, role = self.view.maps, self.role
        layers = [(n, x) for n, x in enumerate(maps.layers) if role in x.self_attention]
        if not layers:
            return []
        best = finest(layer.grid for _, layer in layers)
        limits = row_limits([x.grid for _, x in layers], maps.images, len(self.slices))
        if not any(limits):
            return []
        entries: Entries = []
        sums: list[Tensor] = []  # over the layers of the finest grid; a row is divided by its maximum anyway
        for n, layer in layers:
            moments, grid = self._at_each_time(layer, image, max(limits))
            entries += row_files(self.save, n, moments, grid, self.slices, limits[1], limits[2])
            if layer.grid == best:
                sums = [a.add_(b) for a, b in zip(sums, moments, strict=True)] if sums else moments
                best_grid = grid
        return row_files(self.save, None, sums, best_grid, self.slices, limits[0], limits[0]) + entries

    def _at_each_time(self, layer: RecordedLayer, image: int, limit: int) -> tuple[list[Tensor], Grid]:
        rows = [self_of(layer, image, self.role, [s]) for s in self.slices]
        return [shrunk_rows(x, layer.grid, limit) for x in rows], shrunk_grid(layer.grid, limit)

    def correspondence(self, image: int) -> Entries:
        return counterparts(self.view, self.save, image)

    def components(self, features: Features) -> list[Entries]:
        """For each picture the colours of each chosen time."""
        view = self.view
        colours = components(view.maps, features, role=self.role, layers=view.layers, slices=view.slices)
        slices = self.slices if view.slices is None else view.slices
        return [
            [
                {
                    "slice": slice_,
                    "file": self.save(np.array(to_pillow(colours[number, image]))),
                    "grid": list(colours.shape[2:4]),
                }
                for number, slice_ in enumerate(slices)
            ]
            for image in range(view.maps.images)
        ]
