"""What a method does in an attention call: a wrapper round it, as middleware wraps a web request."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, runtime_checkable

from torch import Tensor

from .call.qkv import QKV
from .call.site import Site

Attend = Callable[[QKV], Tensor]
"""The rest of the chain; the innermost is the host's own attention. Gives (B, H, N, d)."""

Order = Literal["observe", "swap", "edit"]
"""Where a part stands in the chain, from the inside: who observes sees what all others have made; who swaps
keys stands inside those who name keys by the picture's own places."""


@dataclass(frozen=True)
class StepAside:
    """In place of False: a part leaves a site alone for a reason that the report should name; or, `partly`,
    in place of True: it leaves out a part of what it does there."""

    reason: str
    partly: bool = False

    def __bool__(self) -> bool:
        return self.partly


@runtime_checkable
class AttentionPart(Protocol):
    """Works in attention calls, within the method's range only."""

    order: ClassVar[Order]

    def wants(self, site: Site) -> bool | StepAside:
        """Whether it should be called at this site; must be cheap."""
        ...

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        """Attention at a wanted site, (B, H, N, d): call `attend` with what the rest should see."""
        ...
