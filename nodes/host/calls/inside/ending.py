"""The end of a pass of which the rest is not needed."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from .....attention_patches.contract.attention_part import Attend, Order
from .....attention_patches.contract.call.qkv import QKV
from .....attention_patches.contract.call.site import Site
from .....attention_patches.contract.denoiser import Stop
from .....attention_patches.contract.residual import ResidualSite
from ...reached import Reached


@dataclass
class Ending:
    """Ends one forward pass when it has been at all of these, and all others have seen what was there."""

    order: ClassVar[Order] = "observe"
    left: set[Stop]

    def wants(self, site: Site) -> bool:
        return (site.layer.ordinal, site.kind) in self.left

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        self._been((site.layer.ordinal, site.kind))
        return attend(qkv)

    def wants_residual(self, site: ResidualSite) -> bool:
        return (site.layer.ordinal, "residual") in self.left

    def residual(self, site: ResidualSite, h: Tensor) -> Tensor:
        self._been((site.layer.ordinal, "residual"))
        return h

    def _been(self, stop: Stop) -> None:
        self.left.discard(stop)
        if not self.left:
            raise Reached
