"""Going down the slope of a loss of attention: when, how often, and how far."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..contract.attention_part import AttentionPart
from ..contract.denoiser import Denoiser
from ..contract.objective import Objective
from ..contract.schedule import PercentRange


@dataclass(frozen=True)
class Effort:
    """How much guidance: until this percent of the schedule up to `iterations` shifts in each step, and no
    more once the loss is down to `target`. Raises ValueError for what cannot be."""

    until: float
    iterations: int = 5
    target: float = 0.2

    def __post_init__(self) -> None:
        if not 0.0 <= self.until <= 1.0:
            raise ValueError(
                f"guidance_until is {self.until:g}; it is a percent of the schedule, from 0 to 1"
            )

    @property
    def none(self) -> bool:
        return self.until == 0 or self.iterations == 0

    def done(self, model: Denoiser) -> float | None:
        """How much of the guided part of the schedule is done, from 0; None behind it."""
        return model.percent / self.until if model.within(PercentRange(0.0, self.until)) else None


def descend(
    latents: Tensor,
    model: Denoiser,
    part: AttentionPart | None,
    objective: Objective,
    rate: float | Tensor,
    iterations: int,
) -> Iterator[Tensor]:
    """Shift latents (B, C, h, w) in place, by `rate` (one, or one for each image) times the gradient, until
    every image's loss is at the target or so many shifts are made. Gives the losses (images,) before each.
    """
    rates = torch.as_tensor(rate).to(latents).reshape(-1, 1, 1, 1)
    for _ in range(iterations):
        slope = model.slope(latents, part, objective)
        if slope is None:
            return
        yield slope.losses
        if bool((slope.losses <= objective.target).all()):
            return
        latents -= rates * slope.gradient.to(latents.dtype)
