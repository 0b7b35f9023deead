"""Running means of attention over the time slices of a run."""

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Mean:
    """A running mean of (images, heads, N, columns) in float32, filled query chunk by query chunk."""

    values: Tensor
    count: int = 0

    def add(self, values: Tensor, queries: slice) -> None:
        if queries.start == 0:
            self.count += 1
        # a text's rows may move to another device during a run
        self.values[:, :, queries].lerp_(values.to(self.values.device), 1 / self.count)

    def replace(self, values: Tensor) -> None:
        self.values.copy_(values)
        self.count = 1


@dataclass
class SliceMeans:
    """One mean per time slice: the present one where the model computes, the others on the CPU."""

    present: tuple[int, Mean] | None = None
    closed: dict[int, tuple[int, Tensor]] = field(default_factory=dict)

    def of(self, slice_: int, shape: tuple[int, ...], device: torch.device) -> Mean:
        if self.present is None or self.present[0] != slice_:
            self._close()
            self.present = (slice_, Mean(torch.zeros(shape, device=device)))
        return self.present[1]

    def _close(self) -> None:
        """Samplers that go back to more noise come to a slice twice."""
        if self.present is None:
            return
        slice_, mean = self.present
        count, values = mean.count, mean.values.cpu()
        if slice_ in self.closed:
            before, old = self.closed[slice_]
            values = torch.lerp(old.float(), values, count / (before + count))
            count += before
        self.closed[slice_] = (count, values.half())
        self.present = None

    def stack(self, slices: list[int]) -> Tensor | None:
        """(slices, images, heads, N, columns), or None if a slice never came here."""
        self._close()
        if any(slice_ not in self.closed for slice_ in slices):
            return None
        return torch.stack([self.closed[slice_][1] for slice_ in slices])
