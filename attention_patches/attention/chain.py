"""The order in which parts see an attention call."""

from collections.abc import Sequence
from functools import partial

from ..contract.attention_part import Attend, AttentionPart, Order
from ..contract.call.site import Site

FROM_INSIDE: dict[Order, int] = {"observe": 0, "swap": 1, "edit": 2}


def chain(parts: Sequence[AttentionPart], site: Site, innermost: Attend) -> Attend:
    """The parts in the order of their nodes, the last one outermost; who swaps keys stands inside those who
    edit, and who observes inside all others."""
    attend = innermost
    for part in sorted(parts, key=lambda part: FROM_INSIDE[part.order]):
        attend = partial(part, site, attend=attend)
    return attend
