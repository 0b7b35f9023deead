"""Runs that left nothing behind: what they made must not be shown with what another run has left."""

from dataclasses import dataclass, field

from torch import Tensor

from .matching import explained

MARGIN = 1e-3  # by which fits of one run may differ that was made twice, for rounding
RUNS = 8  # that are remembered: the host's cache may bring an earlier run's pictures back


@dataclass(eq=False)
class MissedRuns:
    """The latents of such runs, and why each left nothing, the last one first."""

    runs: list[tuple[Tensor, str]] = field(default_factory=list)

    def add(self, latents: Tensor, reason: str) -> None:
        """Remember a run that made these latents (images, C, h, w)."""
        self.runs = [(latents.detach().cpu(), reason), *self.runs][:RUNS]

    def check(self, images: Tensor, fit: float, name: str) -> None:
        """Raises ValueError, naming the input, if such a run has rather made these pictures (images, H, W, 3)
        than the one that was found, whose latents explain the share `fit` of them."""
        for latents, reason in self.runs:
            if explained(latents, images) > fit + MARGIN:
                raise ValueError(f"{name}: nothing was kept of the run that made these pictures: {reason}.")
