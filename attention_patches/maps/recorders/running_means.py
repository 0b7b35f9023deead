"""Running means of attention over the time slices of a run."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ...numerics.running_mean import RunningMean


@dataclass
class SliceMeans:
    """One mean per time slice: the present one where the model computes, the others on the CPU."""

    present: tuple[int, RunningMean] | None = None
    closed: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)  # weights, values

    def of(self, slice_: int, shape: tuple[int, ...], device: torch.device) -> RunningMean:
        if self.present is None or self.present[0] != slice_:
            self._close()
            self.present = (slice_, RunningMean(torch.zeros(shape, device=device)))
        return self.present[1]

    def _close(self) -> None:
        """Samplers that go back to more noise come to a slice twice."""
        if self.present is None:
            return
        slice_, mean = self.present
        weights, values = mean.weights.cpu(), mean.values.cpu()
        if slice_ in self.closed:
            before, old = self.closed[slice_]
            whole = before + weights
            share = weights / whole.clamp(min=torch.finfo(whole.dtype).tiny)
            weights, values = whole, torch.lerp(old.float(), values, share)
        self.closed[slice_] = (weights, values.half())
        self.present = None

    def stack(self, slices: list[int]) -> Tensor | None:
        """(slices, images, heads, N, columns), or None if a slice never came here."""
        self._close()
        if any(slice_ not in self.closed for slice_ in slices):
            return None
        return torch.stack([self.closed[slice_][1] for slice_ in slices])
