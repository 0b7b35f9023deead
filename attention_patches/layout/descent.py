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
    look more once one has found the loss down to `target`. Raises ValueError for what cannot be."""

    until: float
    iterations: int = 5
    target: float = 0.2

    def __post_init__(self) -> None:
        if not 0.0 <= self.until <= 1.0:
            raise ValueError(f"guidance_until is {self.until:g}; it is a part of the schedule, from 0 to 1")

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
    effort: Effort,
    *,
    at_least_once: bool,
) -> Iterator[Tensor]:
    """Shift latents (B, C, h, w) in place, by `rate` (one, or one for each image) times the gradient. Gives
    the losses (images,) before each shift.

    An image is shifted for the last time by the gradient of the look that finds it at the target: the authors
    of both guidances ask for the loss before they look again, not before they shift. Where its first look
    finds an image there, it is shifted only with `at_least_once`.
    """
    rates = torch.as_tensor(rate).to(latents).reshape(-1, 1, 1, 1)
    moving = torch.ones(len(latents), dtype=torch.bool, device=latents.device)
    for look in range(effort.iterations):
        slope = model.slope(latents, part, objective)
        if slope is None:
            return
        yield slope.losses
        there = (slope.losses <= effort.target).to(moving.device)
        if look == 0 and not at_least_once:
            moving &= ~there
        if moving.any():
            latents -= rates * slope.gradient.to(latents.dtype) * moving[:, None, None, None]
        moving &= ~there
        if not moving.any():
            return
