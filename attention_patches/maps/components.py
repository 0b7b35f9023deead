"""The main components of self-attention as colours (as in Plug-and-Play, Tumanyan et al. 2023, section 3).

One fit for all images and times, so that a colour means the same in each of them.
"""

from typing import Literal

import torch
from torch import Tensor

from ..numerics.scikit_learn import needed_for
from .averages import Layers, Slices, recorded_layers, self_map
from .recorded import AttentionMaps

Features = Literal["self-attention", "queries", "keys"]
EXACT = 2048  # features up to which the covariance is solved exactly


def components(
    maps: AttentionMaps,
    features: Features = "self-attention",
    *,
    role: str = "positive",
    layers: Layers = None,
    slices: Slices = None,
) -> Tensor:
    """(slices, images, h, w, 3) in 0..1: the first three components of the tokens' features.

    Features of a token are its row of self-attention (mean over layers and heads), or its queries or keys
    (heads and layers side by side). Of layers with several grids the finest count. Each component is scaled
    by its extremes over all images and slices, and points where its largest weight is positive. Raises
    ValueError if no such layer was recorded, RuntimeError if scikit-learn is missing.
    """
    chosen = range(len(maps.slices)) if slices is None else slices
    tokens, grid = _features(maps, features, role, layers, tuple(chosen))  # (slices, images, N, features)
    scores = _project(tokens.flatten(0, 2)).unflatten(0, tokens.shape[:3])
    low, high = scores.amin((0, 1, 2)), scores.amax((0, 1, 2))
    return ((scores - low) / (high - low).clamp(min=1e-12)).unflatten(2, grid)


def _project(samples: Tensor) -> Tensor:
    """(samples, features) -> (samples, 3): their scores; zeros where there are fewer than 3 features."""
    with needed_for("components"):
        from sklearn.decomposition import PCA

    count = min(3, *samples.shape)
    solver = "covariance_eigh" if samples.shape[1] <= EXACT else "randomized"
    pca = PCA(count, svd_solver=solver, iterated_power=12, random_state=0)
    scores = torch.from_numpy(pca.fit_transform(samples.numpy()))
    return torch.nn.functional.pad(scores, (0, 3 - count))


def _features(
    maps: AttentionMaps, features: Features, role: str, layers: Layers, slices: tuple[int, ...]
) -> tuple[Tensor, tuple[int, int]]:
    if features == "self-attention":
        grid = max((x.grid for x in recorded_layers(maps, layers, role, "self_attention")), key=_tokens)
        stacked = torch.stack(
            [
                torch.stack(
                    [
                        self_map(maps, grid, image=image, role=role, layers=layers, slices=[s])
                        for image in range(maps.images)
                    ]
                )
                for s in slices
            ]
        )
        return stacked * _tokens(grid), grid
    having = recorded_layers(maps, layers, role, "queries")
    grid = max((layer.grid for layer in having), key=_tokens)
    kept = [getattr(layer, features)[role][list(slices)] for layer in having if layer.grid == grid]
    return torch.cat([x.float().transpose(2, 3).flatten(3) for x in kept], dim=-1), grid


def _tokens(grid: tuple[int, int]) -> int:
    return grid[0] * grid[1]
