"""A loss of one forward pass's attention, and its gradient with respect to the latents.

Guidance by attention is a descent between the steps of a sampler: measure maps, shift the latents against the
gradient, look again. What is measured is a method's own (`Objective`); how a model is run for it is the
host adapter's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .qkv import QKV
from .site import Kind, Site

if TYPE_CHECKING:
    from .method import Denoiser, Patch

Place = tuple[int, Kind]
"""Ordinal of the layer, and which of its attentions."""


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What a gradient is taken of. The pass ends at the last of its layers.

    `target` is the loss down to which an image is changed.
    """

    cross_layers: frozenset[int] = frozenset()
    self_layers: frozenset[int] = frozenset()
    target: float = 0.0

    @property
    def order(self) -> tuple[Place, ...]:
        """Its places as they are run: in a transformer block self- comes before cross-attention."""
        own: list[Place] = [(ordinal, "self") for ordinal in self.self_layers]
        cross: list[Place] = [(ordinal, "cross") for ordinal in self.cross_layers]
        return tuple(sorted(own + cross, key=lambda place: (place[0], place[1] == "cross")))

    def measure(self, site: Site, qkv: QKV) -> Tensor:
        """What one attention adds to the loss, (rows, ...); differentiable, a row from that row alone."""
        raise NotImplementedError

    def loss(self, measured: Mapping[Place, Tensor], images: int) -> Tensor:
        """(rows,) from what was measured at each place; row r is image r % images."""
        raise NotImplementedError


@dataclass(frozen=True)
class Slope:
    """`losses` (images,) and the gradient (B, C, h, w) of their sum, 0 for images that are at the target."""

    losses: Tensor
    gradient: Tensor


def attention_map(qkv: QKV) -> Tensor:
    """The probabilities (B, H, N, M) over the own keys, in float32 or better, with a graph if q or k have."""
    precise = torch.promote_types(qkv.q.dtype, torch.float32)
    logits = (qkv.q.to(precise) * qkv.logit_scale) @ qkv.k.to(precise).transpose(-1, -2)
    if qkv.bias is not None:
        logits = logits + qkv.bias.to(precise)
    return logits.softmax(dim=-1)


def descend(
    latents: Tensor,
    model: "Denoiser",
    patch: "Patch",
    objective: Objective,
    rate: float | Tensor,
    iterations: int,
) -> Iterator[Tensor]:
    """Shift latents (B, C, h, w) in place, by `rate` (one, or one for each image) times the gradient, until
    every image's loss is at the target or so many shifts are made. Gives the losses (images,) before each.
    """
    rates = torch.as_tensor(rate).to(latents).reshape(-1, 1, 1, 1)
    for _ in range(iterations):
        slope = model.slope(latents, patch, objective)
        if slope is None:
            return
        yield slope.losses
        if bool((slope.losses <= objective.target).all()):
            return
        latents -= rates * slope.gradient.to(latents.dtype)
