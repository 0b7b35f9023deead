"""One forward pass of the model, followed from attention to attention."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from ....attention_patches.attention.attention import attention
from ....attention_patches.contract.layers import LayerMap
from ....attention_patches.contract.method import Patch, chain
from ....attention_patches.contract.report import RunReport, Tally
from ....attention_patches.contract.site import Kind, Rows, Site
from ..families import unet
from .backend import HostCall, Override

KEY = "attention_control"


@dataclass
class ModelCall:
    """State of one forward pass. It travels in that pass's own transformer options, so passes that run at
    the same time (several devices) or one inside another never share it."""

    layers: LayerMap
    report: RunReport
    rows: Rows
    sigma: float
    time: float
    progress: float
    active: Sequence[tuple[Patch, Tally]]
    inner: Override | None  # the override that stood in our place
    forced: Override | None = None  # computes the attention, whatever the host's choice
    site: Site | None = None
    wanted: Sequence[tuple[Patch, Tally]] = ()
    reached: bool = False

    def enter(self, kind: Kind, queries: Tensor, keys: Tensor, options: dict[str, Any]) -> None:
        """A transformer block is about to compute this attention; inputs (B, N, C), not yet projected."""
        self.leave()
        site = self._site(kind, keys, options)
        wanted = [] if site is None else [pair for pair in self.active if pair[0].wants(site)]
        if site is None or not wanted:
            return
        tokens = site.grid[0] * site.grid[1]
        if queries.shape[:2] != (self.rows.total, tokens) or (kind == "self" and keys.shape[1] != tokens):
            self.report.step_aside("another patch has cut or merged the tokens", str(site.layer))
            return
        self.site, self.wanted = site, wanted

    def leave(self) -> None:
        """The attention entered last is over: if it never came to us, another patch has computed it."""
        if self.site is not None and self.wanted and not self.reached:
            self.report.missed[f"{self.site.layer} ({self.site.kind}-attention)"] += 1
        self.site, self.wanted, self.reached = None, (), False

    def _site(self, kind: Kind, keys: Tensor, options: dict[str, Any]) -> Site | None:
        place = unet.place(options)
        layer = None if place is None else self.layers.find(*place)
        if layer is None:
            return None
        image_tokens, text_tokens = unet.token_slices(kind, keys.shape[1])
        return Site(
            family=unet.FAMILY,
            kind=kind,
            layer=layer,
            grid=unet.grid(options),
            image_tokens=image_tokens,
            text_tokens=text_tokens,
            heads=options["n_heads"],
            progress=self.progress,
            sigma=self.sigma,
            time=self.time,
            rows=self.rows,
        )

    def override(
        self, func: Override, q: Tensor, k: Tensor, v: Tensor, heads: int, *rest: Any, **kwargs: Any
    ) -> Tensor:
        """The `optimized_attention_override` of this pass: the host's call through the patches."""
        host = HostCall(self.inner, self.forced or func, (q, k, v), heads, rest, kwargs)
        site, wanted = self.site, self.wanted
        if site is None or not wanted:
            return host.untouched()
        self.reached = True
        qkv = host.qkv()
        expected = (
            self.rows.total,
            site.grid[0] * site.grid[1],
            site.image_tokens.stop + site.text_tokens.stop,
        )
        if (qkv.q.shape[0], qkv.q.shape[2], qkv.k.shape[2]) != expected:
            self.report.step_aside("another patch attends to other tokens", str(site.layer))
            return host.untouched()
        for _, tally in wanted:
            tally.touch(site)
        innermost = partial(attention, backend=host.backend)
        return host.finish(chain([patch for patch, _ in wanted], site, innermost)(qkv))


def _mark(kind: Kind, n: Tensor, context: Tensor, value: Tensor, extra_options: dict[str, Any]) -> Any:
    call = extra_options.get(KEY)
    if call is not None:
        call.enter(kind, n, context, extra_options)
    return n, context, value


def mark_self(n: Tensor, context: Tensor, value: Tensor, extra_options: dict[str, Any]) -> Any:
    """An `attn1_patch` that changes nothing: it tells a self-attention from a cross-attention."""
    return _mark("self", n, context, value, extra_options)


def mark_cross(n: Tensor, context: Tensor, value: Tensor, extra_options: dict[str, Any]) -> Any:
    """An `attn2_patch` that changes nothing."""
    return _mark("cross", n, context, value, extra_options)
