"""The end of a pass of which the rest is not needed."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ....attention_patches.contract.attention_part import Attend, Order
from ....attention_patches.contract.objective import LayerAttention
from ....attention_patches.contract.qkv import QKV
from ....attention_patches.contract.site import Site
from ..families.family import Reached


@dataclass(frozen=True)
class Ending:
    """Ends a forward pass at an attention, when all others have seen what goes into it."""

    order: ClassVar[Order] = "observe"
    place: LayerAttention

    def wants(self, site: Site) -> bool:
        return (site.layer.ordinal, site.kind) == self.place

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        raise Reached
