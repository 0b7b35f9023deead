"""Which place of one image looks like a place of another: queries of the one against keys of the other.

As in Cross-Image Attention (Alaluf et al. 2024), where the structure image's queries ask the appearance
image's keys: rows of softmax(Q_a K_b^T / sqrt(d)).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..attention.explicit_maps import MAP_BYTES
from .averages import Slices
from .recorded import RecordedLayer


def correspondence_of(
    layer: RecordedLayer,
    images: tuple[int, int],
    role: str = "positive",
    slices: Slices = None,
    queries: Sequence[int] | None = None,
) -> Tensor:
    """(n, N) of one layer in float32, mean over the heads and the given slices; each row sums to 1.

    `images` are that of the queries and that of the keys; `queries` are tokens of the first (all, if None).
    """
    a, b = images
    q, k = layer.queries[role][:, a], layer.keys[role][:, b]  # (slices, H, N, d)
    if queries is not None:
        q = q[:, :, list(queries)]
    chosen = range(len(q)) if slices is None else slices
    return torch.stack([_head_mean(q[s].float(), k[s].float()) for s in chosen]).mean(0)


def _head_mean(q: Tensor, k: Tensor) -> Tensor:
    """(H, n, d) and (H, N, d) -> (n, N), in query chunks."""
    step = max(1, MAP_BYTES // (4 * k.shape[0] * k.shape[1]))
    scaled, keys = q * q.shape[-1] ** -0.5, k.transpose(-1, -2)
    return torch.cat([(chunk @ keys).softmax(-1).mean(0) for chunk in scaled.split(step, dim=1)])
