"""Prompt mixing in cross-attention: where the original's prompt looks, with what a proxy's prompt says."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar

from torch import Tensor

from ...contract.attention_part import Attend, Order
from ...contract.call.qkv import QKV
from ...contract.call.site import Prompt, Rows, Site
from ...contract.schedule import PercentRange


def own_chunks(rows: Rows, prompt: Prompt | None) -> Iterator[slice]:
    """The rows of every chunk of the prompt; the first row of each is the original."""
    return (chunk for text, chunk, _ in rows.by_text if text.of(prompt))


@dataclass(kw_only=True)
class Mixing:
    """Gives the variations the original's keys, and outside of `shapes` its values as well."""

    order: ClassVar[Order] = "edit"
    layers: frozenset[int]
    shapes: PercentRange
    prompt: Prompt | None = None
    mixed: set[float] = field(default_factory=set)  # noise levels at which values were the proxies'

    def wants(self, site: Site) -> bool:
        if site.kind != "cross" or site.layer.ordinal not in self.layers or site.rows.images < 2:
            return False
        return any(True for _ in own_chunks(site.rows, self.prompt))

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        shaping = self.shapes.holds(site.percent)
        k, v = qkv.k.clone(), qkv.v if shaping else qkv.v.clone()
        for rows in own_chunks(site.rows, self.prompt):
            k[rows.start + 1 : rows.stop] = k[rows.start]
            if not shaping:
                v[rows.start + 1 : rows.stop] = v[rows.start]
        if shaping:
            self.mixed.add(site.sigma)
        return attend(replace(qkv, k=k, v=v))

    def describe(self) -> str:
        """At how many noise levels shapes were the proxies'."""
        if not self.mixed:
            return "No noise level lies between shape_from and shape_until, so all images are the original."
        return f"Shapes are the proxies' at {len(self.mixed)} noise levels."
