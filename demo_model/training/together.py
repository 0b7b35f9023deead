"""Processes that train one model together: each takes its own part of every batch, all take the same step.

`torchrun` starts them. On two cores two processes of one thread are faster than one of two threads, which
wait for each other in every layer.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn


@dataclass(frozen=True)
class Together:
    """One of `size` processes; alone, everything here leaves its values as they are."""

    rank: int = 0
    size: int = 1

    @classmethod
    def join(cls) -> "Together":
        """Meet the others that `torchrun` has started; alone without it."""
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size == 1:
            return cls()
        if not distributed.is_initialized():
            distributed.init_process_group("gloo")
        return cls(distributed.get_rank(), size)

    def leave(self) -> None:
        """Part from the others, all at one time, so that no thread that waits aborts one that ends."""
        if self.size > 1:
            distributed.barrier()
            distributed.destroy_process_group()

    def agree(self, *values: float) -> list[float]:
        """The first process's values, in all."""
        if self.size == 1:
            return list(values)
        told = torch.tensor(values, dtype=torch.float64)
        distributed.broadcast(told, 0)
        return [float(v) for v in told]

    def share(self, parameters: Iterable[nn.Parameter]) -> None:
        """The first process's parameters, in all: each has drawn its own."""
        for parameter in parameters if self.size > 1 else ():
            distributed.broadcast(parameter.data, 0)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Each process's gradients become the mean of all: with equal parts, those of the whole batch."""
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.flatten() for g in gradients])
        distributed.all_reduce(flat)
        flat /= self.size
        for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient))

    def divide(self, function: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
        """`function` of all rows (n, ...), which it treats one by one; each process computes some of them."""
        if self.size == 1:
            return function(rows)
        result = torch.zeros_like(rows)
        mine = slice(self.rank, None, self.size)
        if len(rows[mine]):
            result[mine] = function(rows[mine])
        distributed.all_reduce(result)
        return result
