"""Recorded attention whose segments are known: every place looks at its own region, words at theirs."""

import torch
from attention_control.attention_patches.contract.layers.layer import Layer
from attention_control.attention_patches.contract.layers.layer_map import LayerMap
from attention_control.attention_patches.maps.recorded import AttentionMaps, RecordedLayer, TimeSlice


def own_region(regions, noise=0.0, seed=0):
    """(h, w) numbers -> (N, N): each place looks evenly at all places of its region, up to some noise."""
    numbers = regions.flatten()
    rows = (numbers[:, None] == numbers).float()
    rows += noise * torch.rand(rows.shape, generator=torch.Generator().manual_seed(seed))
    return rows / rows.sum(1, keepdim=True)


def word_in_region(regions, words, tokens=9):
    """(h, w) numbers and {position: region} -> (N, tokens): each word is looked at from its region; the
    start token gets the rest."""
    cross = torch.full((regions.numel(), tokens), 0.01)
    for position, region in words.items():
        cross[:, position] += 0.3 * (regions.flatten() == region)
    cross[:, 0] = 1 - cross[:, 1:].sum(1)
    return cross


def maps_of(*images):
    """Maps of one time slice; each image is a list of (grid, self-attention, cross-attention) by layer."""
    places = [Layer(n, len(images[0]), "output", n, 0) for n in range(1, len(images[0]) + 1)]
    layers = [
        RecordedLayer(
            place,
            parts[0][0],
            1,
            cross_attention={"positive": torch.stack([part[2] for part in parts])[None, :, None].half()},
            self_attention={"positive": torch.stack([part[1] for part in parts])[None, :, None].half()},
        )
        for place, parts in zip(places, zip(*images, strict=True), strict=True)
    ]
    latent = max((layer.grid for layer in layers), key=lambda grid: grid[0] * grid[1])
    slices = (TimeSlice(0.0, 1.0, 0.5),)
    return AttentionMaps(LayerMap("U-Net", tuple(places)), len(images), latent, slices, tuple(layers))


def scene(regions, words, noise=0.02, seed=0):
    """One image of one layer: regions (h, w), words {position: region}."""
    return [(tuple(regions.shape), own_region(regions, noise, seed), word_in_region(regions, words))]


def four_regions(height=8, width=12):
    """A large background 0 with three blocks of different size in it, 1 the largest."""
    regions = torch.zeros(height, width, dtype=torch.long)
    regions[1:5, 1:5], regions[2:5, 7:11], regions[6:8, 3:6] = 1, 2, 3
    return regions
