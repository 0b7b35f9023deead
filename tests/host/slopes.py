"""A loss and a patch that asks for its gradient, for the tests of gradients."""

from dataclasses import dataclass, field
from typing import Any

import torch
from attention_control.attention_patches.gradients import Objective, Slope, attention_map
from attention_control.attention_patches.patch import Patch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Corner(Objective):
    """How little of the attention goes to the first keys, squared over layers: no layer's part is linear."""

    def measure(self, site: Any, qkv: Any) -> Tensor:
        map_ = attention_map(qkv)
        return map_[..., : map_.shape[-1] // 3].sum(-1).square().mean((1, 2))

    def loss(self, measured: Any, images: int) -> Tensor:
        return (1 - torch.stack(list(measured.values())).mean(0)).square()


@dataclass(frozen=True, kw_only=True)
class Asker(Patch):
    """Asks for the gradient at its first call, and changes nothing."""

    objective: Objective
    asked_at: Tensor | None = None  # other latents to ask at
    dtype: torch.dtype | None = None
    slopes: list[Slope | None] = field(default_factory=list)
    latents: list[Tensor] = field(default_factory=list)
    controlled: Patch = field(default_factory=Patch)

    def denoise(self, latents: Tensor, model: Any) -> Tensor:
        if not self.slopes:
            at = latents if self.asked_at is None else self.asked_at
            at = at if self.dtype is None else at.to(self.dtype)
            self.latents.append(at.clone())
            self.slopes.append(model.slope(at, self.controlled, self.objective))
        return model(latents)
