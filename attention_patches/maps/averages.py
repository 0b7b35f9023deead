"""Means of recorded attention over heads, layers and times, each map brought to one size first.

The maps of words follow DAAM (Tang et al., "What the DAAM: Interpreting Stable Diffusion Using Cross
Attention", ACL 2023, section 3, and its code). Each map is enlarged bicubically and cut off at 0, and only
then do heads, layers and the pieces of a word enter their mean, every head with the same weight: a layer with
twice as many heads counts twice.

What differs: where only the means over the heads of a layer were kept, they are cut off instead of each head,
so what a single head's enlarged map would fall below 0 is not taken away. Each time slice counts alike,
however many steps it holds, where theirs sums over the steps. They leave out the middle of the U-Net and maps
of an eighth of the latents' side; here all recorded layers count unless some are chosen.
"""

from collections.abc import Collection, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from .recorded import AttentionMaps, RecordedLayer

Slices = Sequence[int] | None
Layers = Collection[int] | None


def cross_map(
    maps: AttentionMaps,
    size: tuple[int, int],
    *,
    tokens: Sequence[int] | None = None,
    image: int = 0,
    role: str = "positive",
    layers: Layers = None,
    slices: Slices = None,
) -> Tensor:
    """(tokens, height, width) in float32: where each token is looked at; see the module's docstring.

    `tokens` are places on the key axis, in any order (all, if None); `layers` are ordinals (all that were
    recorded, if None), `slices` indices of time slices. Raises ValueError if no such layer was recorded.
    """
    enlarged = []
    for layer in recorded_layers(maps, layers, role, "cross_attention"):
        kept = layer.cross_attention[role][:, image]  # (slices, kept heads, N, tokens)
        kept = kept if tokens is None else kept[..., list(tokens)]
        by_head = _over_time(kept, slices).transpose(-1, -2).unflatten(-1, layer.grid)
        large = F.interpolate(by_head, size, mode="bicubic").clamp(min=0)
        enlarged.append((layer.heads, large.mean(0)))
    return _mean_by_heads(enlarged)


def cross_of(layer: RecordedLayer, image: int, role: str = "positive", slices: Slices = None) -> Tensor:
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
    """(N, N) in float32: how the cells of one grid look at each other, mean over the heads of its layers.

    Raises ValueError if no layer of that grid was recorded.
    """
    fitting = [x for x in recorded_layers(maps, layers, role, "self_attention") if x.grid == grid]
    if not fitting:
        raise ValueError(f"maps: no self-attention of a {grid[0]} x {grid[1]} grid; {recorded_grids(maps)}")
    return _mean_by_heads([(layer.heads, self_of(layer, image, role, slices)) for layer in fitting])


def self_of(layer: RecordedLayer, image: int, role: str = "positive", slices: Slices = None) -> Tensor:
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


def _mean_by_heads(layers: Sequence[tuple[int, Tensor]]) -> Tensor:
    """The mean of (number of heads, mean over these heads) of several layers over all their heads."""
    total = torch.stack([heads * map_ for heads, map_ in layers]).sum(0)
    return total / sum(heads for heads, _ in layers)


def _over_time(kept: Tensor, slices: Slices) -> Tensor:
    """(slices, heads, N, M) -> (heads, N, M) in float32."""
    chosen = kept if slices is None else kept[list(slices)]
    return chosen.float().mean(0)


def recorded_layers(maps: AttentionMaps, layers: Layers, role: str, what: str) -> list[RecordedLayer]:
    """Those of the layers (by ordinal) that hold `what`, a field of RecordedLayer, for this role.

    Queries and keys are kept together. Raises ValueError if there are none.
    """
    having = [layer for layer in maps.layers if role in getattr(layer, what)]
    chosen = [layer for layer in having if layers is None or layer.layer.ordinal in layers]
    if chosen:
        return chosen
    name, switches = what.replace("_", "-"), "`record` and `rows`"
    if what == "queries":
        name, switches = "queries and keys", "`record`, `rows` and `queries_and_keys`"
    hint = (
        "" if what == "cross_attention" else " Of a picture in windows (MultiDiffusion) only words are kept."
    )
    there = ", ".join(str(layer.layer.ordinal) for layer in having)
    raise ValueError(
        f"layers: none of them was recorded with the {name} of the {role} prompt. Recorded are: "
        f"{there or f'none; see {switches} of the node that records'}.{hint}"
    )
