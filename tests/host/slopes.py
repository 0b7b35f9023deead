"""A loss and a part that asks for its gradient, for the tests of gradients."""

from dataclasses import dataclass, field
from typing import Any

import torch
from attention_control.attention_patches.attention.attention_map import attention_map
from attention_control.attention_patches.contract.attention_part import AttentionPart
from attention_control.attention_patches.contract.denoiser import Denoiser
from attention_control.attention_patches.contract.objective import Objective, Slope
from attention_control.nodes.host.run.install import install
from torch import Tensor

from .just import Just
from .tiny import sample

SIZE = {"height": 6, "width": 10}
DOUBLE = torch.float64


@dataclass(frozen=True, kw_only=True)
class Corner(Objective):
    """How little of the attention goes to the first keys, squared over layers: no layer's part is linear."""

    def measure(self, site: Any, qkv: Any) -> Tensor:
        map_ = attention_map(qkv)
        return map_[..., : map_.shape[-1] // 3].sum(-1).square().mean((1, 2))

    def loss(self, measured: Any, images: int) -> Tensor:
        return (1 - torch.stack(list(measured.values())).mean(0)).square()


@dataclass(kw_only=True)
class Asker:
    """Asks for the gradient at its first call, and changes nothing; `controlled` sees the attention there."""

    objective: Objective
    asked_at: Tensor | None = None  # other latents to ask at
    dtype: torch.dtype | None = None
    controlled: AttentionPart | None = None
    slopes: list[Slope | None] = field(default_factory=list)
    latents: list[Tensor] = field(default_factory=list)

    def denoise(self, latents: Tensor, model: Denoiser) -> Tensor:
        if not self.slopes:
            at = latents if self.asked_at is None else self.asked_at
            at = at if self.dtype is None else at.to(self.dtype)
            self.latents.append(at.clone())
            self.slopes.append(model.slope(at, self.controlled, self.objective))
        return model.rest(latents)


def slope(model: Any, prompts: Any, objective: Objective, batch: int = 2, **how: Any) -> tuple[Tensor, Any]:
    """(latents, slope) at the first call of a run."""
    asker = Asker(objective=objective, **how)
    sample(install(model, Just([asker])), *prompts, batch=batch, steps=1, **SIZE)
    return asker.latents[0], asker.slopes[0]


def directions(latents: Tensor) -> Tensor:
    """A direction for differences."""
    return torch.randn(latents.shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(4))


def agrees_with_differences(
    model: Any, prompts: Any, objective: Objective, step: float = 1e-4, tolerance: float = 1e-6, **how: Any
) -> None:
    """The loss of each image changes along a direction as its gradient says."""
    at, found = slope(model, prompts, objective, dtype=DOUBLE, **how)
    along = directions(at)
    ahead, behind = (
        slope(model, prompts, objective, asked_at=at + sign * step * along, dtype=DOUBLE, **how)[1].losses
        for sign in (1, -1)
    )
    expected = (ahead - behind).double() / (2 * step)
    assert expected.abs().min() > 1e-5, "the loss does not depend on the latents"
    assert torch.allclose((found.gradient * along).sum((1, 2, 3)), expected, rtol=tolerance)
