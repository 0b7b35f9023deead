"""Attention to several references at once, each with a weight."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...contract.call.column_bias import CLOSED, ColumnBias
from ...contract.call.qkv import QKV
from ...contract.call.rotary import Rotary
from ...contract.call.site import Rows
from ...numerics.adain import adain_to
from .method import AdaIN
from .visiting_styles import Styles

FEWEST = 1e-3  # a reference of less weight is not attended to


@dataclass(frozen=True)
class Blend:
    """How an attention call follows its references. Weights are (C, I, R, n) float32 on the CPU for its C
    chunks and R references, I = 1 for all images alike or one for each, n = 1 for all queries alike or one
    for each query; they add up to 1, or to 0 where the call stays what it is."""

    attends: bool
    adain: AdaIN
    shift: float
    scale: float

    def __call__(
        self, qkv: QKV, rows: Rows, styles: Styles, weights: Tensor, rotary: Rotary | None = None
    ) -> QKV:
        """The call with the references' statistics, keys and values."""
        blended = self.aligned(qkv, rows, styles, weights, rotary)
        if not self.attends:
            return blended
        for number, (keys, values) in enumerate(zip(styles.keys, styles.values, strict=True)):
            own = weights[:, :, number]
            seeing = (own >= FEWEST).any(-1).expand(-1, rows.images)
            if seeing.any():
                blended = blended.append(
                    keys if self.scale == 1.0 else keys * self.scale,
                    values,
                    bias=self.bias(own, rows, qkv.q),
                    rows=seeing.flatten().tolist(),
                )
        return blended

    def bias(self, weights: Tensor, rows: Rows, q: Tensor) -> ColumnBias | None:
        """Of one reference with weights (C, I, n), for queries q (B, H, N, d)."""
        odds = torch.where(weights >= FEWEST, weights.log() + self.shift, CLOSED)
        if not odds.any():
            return None
        alike = bool((odds == odds[:1, :1]).all())
        by_row = odds[0, :1] if alike else odds.expand(-1, rows.images, -1).flatten(0, 1)
        column = by_row[:, None, :, None].to(q)  # (1 or B, 1, n, 1)
        one = q.new_ones(1, 1, 1, 1)
        return ColumnBias(one, column) if odds.shape[-1] == 1 else ColumnBias(column, one)

    def aligned(
        self, qkv: QKV, rows: Rows, styles: Styles, weights: Tensor, rotary: Rotary | None = None
    ) -> QKV:
        """The call with the mean and deviation of its mixture, before its rotation."""
        pairs = list(zip((qkv.q, qkv.k), styles.means, styles.deviations, strict=True))
        q, k = (
            _align(x, rows, mean, deviation, weights, rotary) if name in self.adain else x
            for name, (x, mean, deviation) in zip(("queries", "keys"), pairs, strict=True)
        )
        return replace(qkv, q=q, k=k)


def _align(
    x: Tensor, rows: Rows, means: Tensor, deviations: Tensor, weights: Tensor, rotary: Rotary | None
) -> Tensor:
    """AdaIN of (B, H, N, d) to the mixture of (C, R, H, d)."""
    weighed = weights.to(means)
    mean, deviation = (torch.einsum("cirn,crhd->cihnd", weighed, one) for one in (means, deviations))
    if rotary is None:
        aligned = adain_to(rows.split(x), mean, deviation)
    else:
        aligned = rotary.rotated(adain_to(rows.split(rotary.unrotated(x)), mean, deviation)).to(x.dtype)
    if bool((covered := weights.sum(2) > 0).all()):
        return aligned.flatten(0, 1)
    there = covered.to(x.device)[:, :, None, :, None]  # (C, images, H, n, d)
    return torch.where(there, aligned, rows.split(x)).flatten(0, 1)
