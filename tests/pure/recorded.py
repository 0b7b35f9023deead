"""Recorded attention made of random numbers, as a recorder would hand it over."""

from dataclasses import replace

import torch
from attention_control.attention_patches.contract.layers.layer import Layer
from attention_control.attention_patches.contract.layers.layer_map import LayerMap
from attention_control.attention_patches.maps.recorded import AttentionMaps, RecordedLayer, TimeSlice

GRIDS = ((4, 6), (2, 3), (4, 6))


def recorded(grids=GRIDS, images=2, slices=3, tokens=9, heads=2, width=4, seed=0):
    """Maps of one layer per grid, with queries and keys; everything of the positive prompt."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape):
        return torch.randn(slices, images, *shape, generator=generator)

    places = [Layer(n, len(grids), "output", n, 0) for n in range(1, len(grids) + 1)]
    layers = []
    for place, grid in zip(places, grids, strict=True):
        n = grid[0] * grid[1]
        layers.append(
            RecordedLayer(
                place,
                grid,
                heads,
                cross_attention={"positive": (2 * random(1, n, tokens)).softmax(-1).half()},
                self_attention={"positive": (2 * random(1, n, n)).softmax(-1).half()},
                queries={"positive": random(heads, n, width).half()},
                keys={"positive": random(heads, n, width).half()},
            )
        )
    times = tuple(TimeSlice(s / slices, (s + 1) / slices, 1 - (s + 0.5) / slices) for s in range(slices))
    return AttentionMaps(LayerMap("U-Net", tuple(places)), images, (8, 12), times, tuple(layers))


def without(maps, what):
    """The same maps, had this part of them not been recorded."""
    return replace(maps, layers=tuple(replace(layer, **{what: {}}) for layer in maps.layers))
