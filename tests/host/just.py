"""A method that is nothing but its parts, and parts that change nothing, for tests of the adapter."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from attention_control.attention_patches.contract.attention_part import Attend, Order
from attention_control.attention_patches.contract.batch import Batch
from attention_control.attention_patches.contract.call.qkv import QKV
from attention_control.attention_patches.contract.call.site import Site
from attention_control.attention_patches.contract.method import Method, Part
from torch import Tensor


@dataclass(frozen=True)
class Just(Method):
    """The same parts in every run, so that a test can look into them afterwards."""

    label: ClassVar[str] = "Just"
    parts: Sequence[Part]

    def begin(self, batch: Batch) -> Sequence[Part]:
        return self.parts


class Blind:
    """Sees no attention: for passes beside a run that no part is to change."""

    order: ClassVar[Order] = "observe"

    def wants(self, site: Site) -> bool:
        return False

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        return attend(qkv)


@dataclass
class Witness:
    """Keeps of every call the site, what was given and what came out; the outermost, if its order is "edit"
    and it is installed last."""

    order: Order = "observe"
    seen: list[tuple[Site, QKV, Tensor]] = field(default_factory=list)

    def wants(self, site: Site) -> bool:
        return True

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        out = attend(qkv)
        self.seen.append((site, qkv, out))
        return out
