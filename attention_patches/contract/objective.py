"""A loss of one forward pass's attention, and its gradient with respect to the latents.

Guidance by attention is a descent between the steps of a sampler: measure maps, shift the latents against the
gradient, look again. What is measured is a method's own (`Objective`); how a model is run for it is the
host adapter's.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from .call.qkv import QKV
from .call.site import Kind, Prompt, Site

LayerAttention = tuple[int, Kind]
"""Ordinal of the layer, and which of its attentions."""


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What a gradient is taken of. The pass ends at the last of its layers.

    It is measured under the conditionings of `prompt`, under all positive ones if that is None.
    """

    prompt: Prompt | None = None
    cross_layers: frozenset[int] = frozenset()
    self_layers: frozenset[int] = frozenset()

    @property
    def order(self) -> tuple[LayerAttention, ...]:
        """Its places as they are run: in a transformer block self- comes before cross-attention."""
        own: list[LayerAttention] = [(ordinal, "self") for ordinal in self.self_layers]
        cross: list[LayerAttention] = [(ordinal, "cross") for ordinal in self.cross_layers]
        return tuple(sorted(own + cross, key=lambda place: (place[0], place[1] == "cross")))

    def measure(self, site: Site, qkv: QKV) -> Tensor:
        """What one attention adds to the loss, (rows, ...); differentiable, a row from that row alone."""
        raise NotImplementedError

    def loss(self, measured: Mapping[LayerAttention, Tensor], images: int) -> Tensor:
        """(rows,) from what was measured at each place; row r is image r % images."""
        raise NotImplementedError


@dataclass(frozen=True)
class Slope:
    """`losses` (images,) and the gradient (B, C, h, w) of their sum."""

    losses: Tensor
    gradient: Tensor
