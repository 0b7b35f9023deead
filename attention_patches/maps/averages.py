"""Means of recorded attention over layers and times, each brought to one size first."""

from collections.abc import Collection, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from .recorded import AttentionMaps, LayerMaps

Slices = Sequence[int] | None
Layers = Collection[int] | None


def cross_map(
    maps: AttentionMaps,
    size: tuple[int, int],
    *,
    image: int = 0,
    role: str = "positive",
    layers: Layers = None,
    slices: Slices = None,
) -> Tensor:
    """(tokens, height, width) in float32: where each token is looked at, on average.

    Layers by ordinal (all that were recorded, if None), time slices by index. As in DAAM (Tang et al. 2023,
    section 3) each layer's map is enlarged bicubically and cut off at 0; theirs is the sum over the steps,
    ours the mean. Raises ValueError if no such layer was recorded.
    """
    enlarged = [
        F.interpolate(cross_of(layer, image, role, slices)[None], size, mode="bicubic").clamp(min=0)[0]
        for layer in recorded_layers(maps, layers, role, "cross_attention")
    ]
    return torch.stack(enlarged).mean(0)


def cross_of(layer: LayerMaps, image: int, role: str = "positive", slices: Slices = None) -> Tensor:
    """(tokens, h, w) of one layer in float32, mean over the heads and the given slices."""
    kept = layer.cross_attention[role][:, image]  # (slices, heads, N, tokens)
    return _mean(kept, slices).T.unflatten(1, layer.grid)


def self_map(
    maps: AttentionMaps,
    grid: tuple[int, int],
    *,
    image: int = 0,
    role: str = "positive",
    layers: Layers = None,
    slices: Slices = None,
) -> Tensor:
    """(N, N) in float32: how the tokens of one grid look at each other, mean over its layers.

    Raises ValueError if no layer of that grid was recorded.
    """
    fitting = [x for x in recorded_layers(maps, layers, role, "self_attention") if x.grid == grid]
    if not fitting:
        raise ValueError(f"maps: no self-attention of a {grid[0]} x {grid[1]} grid; {recorded_grids(maps)}")
    return torch.stack([self_of(layer, image, role, slices) for layer in fitting]).mean(0)


def self_of(layer: LayerMaps, image: int, role: str = "positive", slices: Slices = None) -> Tensor:
    """(N, N) of one layer in float32, mean over the heads and the given slices."""
    return _mean(layer.self_attention[role][:, image], slices)


def recorded_grids(maps: AttentionMaps) -> str:
    """For messages: which sizes of self-attention there are."""
    grids = sorted({layer.grid for layer in maps.layers if layer.self_attention}, reverse=True)
    return "recorded are " + (", ".join(f"{h} x {w}" for h, w in grids) or "none")


def _mean(kept: Tensor, slices: Slices) -> Tensor:
    """(slices, heads, N, M) -> (N, M)."""
    chosen = kept if slices is None else kept[list(slices)]
    flat = chosen.flatten(0, 1)
    return flat[0].float() if len(flat) == 1 else flat.float().mean(0)


def recorded_layers(maps: AttentionMaps, layers: Layers, role: str, what: str) -> list[LayerMaps]:
    """Those of the layers (by ordinal) that hold `what`, a field of LayerMaps, for this role.

    Queries and keys are kept together. Raises ValueError if there are none.
    """
    having = [layer for layer in maps.layers if role in getattr(layer, what)]
    chosen = [layer for layer in having if layers is None or layer.layer.ordinal in layers]
    if chosen:
        return chosen
    name, switches = what.replace("_", "-"), "`record` and `rows`"
    if what == "queries":
        name, switches = "queries and keys", "`record`, `rows` and `queries_and_keys`"
    there = ", ".join(str(layer.layer.ordinal) for layer in having)
    raise ValueError(
        f"layers: none of them was recorded with the {name} of the {role} prompt. Recorded are: "
        f"{there or f'none; see {switches} of the node that records'}."
    )
