"""A running mean of maps that come in chunks of queries, or from windows that hold a part of them."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class RunningMean:
    """Of (..., N, columns) in float32, on the device of its values. A query of which nothing was added is
    0."""

    values: Tensor
    maps: int = 0  # that have been added whole, each with a weight of 1
    parts: Tensor | None = None  # (N, 1), or (..., N, 1) where images differ: weights of what was added else

    @property
    def weights(self) -> Tensor:
        """What has been added to each query: (N, 1), or (..., N, 1) where images differ."""
        if self.parts is None:
            return self.values.new_full((self.values.shape[-2], 1), self.maps)
        return self.parts + self.maps

    def _parts(self) -> Tensor:
        return self.values.new_zeros(self.values.shape[-2], 1) if self.parts is None else self.parts

    def add(self, values: Tensor, queries: slice) -> None:
        """Add rows of one map, (..., n, columns), with a weight of 1; the first rows of a map come first."""
        if queries.start == 0:
            self.maps += 1
        weights: Tensor | int = self.maps if self.parts is None else self.parts[..., queries, :] + self.maps
        # a text's rows may move to another device during a run
        self.values[..., queries, :].lerp_(values.to(self.values), 1 / weights)

    def add_parts(self, sums: Tensor, weights: Tensor, queries: Tensor) -> None:
        """Add weighed sums of rows, (..., n, columns), with weights (n, 1) or (..., n, 1), at the given
        queries (n,)."""
        sums, weights = sums.to(self.values), weights.to(self.values)
        queries = queries.to(self.values.device)
        parts = self._parts()
        if weights.ndim > parts.ndim:
            parts = parts.repeat(*weights.shape[:-2], 1, 1)
        parts[..., queries, :] += weights
        whole = (parts[..., queries, :] + self.maps).clamp(min=torch.finfo(weights.dtype).tiny)
        before = self.values[..., queries, :]
        self.values[..., queries, :] = before + (sums - weights * before) / whole
        self.parts = parts

    def replace(self, values: Tensor) -> None:
        """Forget what was, and keep this alone."""
        self.values.copy_(values)
        self.maps, self.parts = 1, None
