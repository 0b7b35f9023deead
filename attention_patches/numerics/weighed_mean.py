"""A running mean of maps in which each query has its own weight so far."""

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class WeighedMean:
    """Of (..., N, columns) in float32, on the device of its values. `weights` (N, 1), or (..., N, 1) where
    images differ, are what has been added; a query of which nothing was added is 0."""

    values: Tensor
    weights: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.weights = self.values.new_zeros(self.values.shape[-2], 1)

    def add(self, values: Tensor, queries: slice) -> None:
        """Add rows of one map, (..., n, columns), with a weight of 1."""
        weights = self.weights[..., queries, :]
        weights += 1
        # a text's rows may move to another device during a run
        self.values[..., queries, :].lerp_(values.to(self.values), 1 / weights)

    def add_parts(self, sums: Tensor, weights: Tensor, queries: Tensor) -> None:
        """Add weighed sums of rows, (..., n, columns), with weights (n, 1) or (..., n, 1), at the given
        queries (n,)."""
        sums, weights = sums.to(self.values), weights.to(self.values)
        queries = queries.to(self.values.device)
        if weights.ndim > self.weights.ndim:
            self.weights = self.weights.repeat(*weights.shape[:-2], 1, 1)
        self.weights[..., queries, :] += weights
        whole = self.weights[..., queries, :].clamp(min=torch.finfo(weights.dtype).tiny)
        before = self.values[..., queries, :]
        self.values[..., queries, :] = before + (sums - weights * before) / whole

    def replace(self, values: Tensor) -> None:
        """Forget what was, and keep this alone."""
        self.values.copy_(values)
        self.weights.fill_(1)
