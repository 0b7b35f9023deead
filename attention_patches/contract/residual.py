"""What a method does to the residual of a block: what a ResBlock computes and adds to its shortcut."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from .attention_part import StepAside
from .call.site import Rows
from .layers.layer import Layer


@dataclass(frozen=True)
class ResidualSite:
    """One residual of a forward pass, about to be added.

    `layer` is a block in the family's map of residuals: its ordinal counts these alone, its index those of
    one block of the host. `sigma` and `percent` are as in `Site`.
    """

    layer: Layer
    percent: float
    sigma: float
    rows: Rows


@runtime_checkable
class ResidualPart(Protocol):
    """Works on residuals, within the method's range only. The part of the last node comes first: as in
    attention, who stands further inside has the last word."""

    def wants_residual(self, site: ResidualSite) -> bool | StepAside:
        """Whether it should be called at this site; must be cheap."""
        ...

    def residual(self, site: ResidualSite, h: Tensor) -> Tensor:
        """What the block should add to its shortcut in place of `h` (B, C, h, w), which is not written to."""
        ...
