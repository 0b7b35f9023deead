"""A running mean of maps that come in chunks of queries."""

from dataclasses import dataclass

from torch import Tensor


@dataclass
class RunningMean:
    """Of (..., N, columns) in float32, on the device of its values."""

    values: Tensor
    count: int = 0

    def add(self, values: Tensor, queries: slice) -> None:
        """Add rows of one map, (..., n, columns). Its chunks come in their order, beginning with query 0."""
        if queries.start == 0:
            self.count += 1
        # a text's rows may move to another device during a run
        self.values[..., queries, :].lerp_(values.to(self.values), 1 / self.count)
