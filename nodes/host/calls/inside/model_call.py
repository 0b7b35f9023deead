"""One call of the model, followed from attention to attention."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from torch import Tensor

from .....attention_patches.attention.attention import attention
from .....attention_patches.attention.chain import chain
from .....attention_patches.attention.joint import OWN
from .....attention_patches.contract.attention_part import AttentionPart, StepAside
from .....attention_patches.contract.call.site import Kind, Rows, Site
from .....attention_patches.contract.layers.layer import Layer
from .....attention_patches.contract.report import LEFT_TO_ANOTHER, Tally
from ...facts.run_facts import RunFacts
from ...families.family import Forward, Seen
from .backend import HostCall, Override
from .seen_attention import SeenAttention, why_foreign

CALL = "attention_control_call"
"""Where a call of the model travels in its own transformer options."""

KINDS_INWARDS: tuple[Kind, ...] = ("cross", "self")  # of one call, the view nearest to the host first

Seeing = tuple[AttentionPart, Tally]


@dataclass(eq=False)
class ModelCall:
    """State of one call of the model. It travels in that call's own transformer options, so that calls at the
    same time (several devices) or one inside another never share it; it is emptied when the call is over."""

    facts: RunFacts
    rows: Rows
    sigma: float
    forward: Forward  # with the length of the call's text, before other patches change it
    seeing: Sequence[Seeing]
    inner: Override | None  # the override that stood in our place
    counts: bool = True  # whether the report counts what is done
    forced: Override | None = None  # computes the attention, whatever the host's choice
    site: Site | None = None
    wanted: Sequence[Seeing] = ()
    reached: bool = False
    entered: set[int] = field(default_factory=set)  # ordinals of the layers it came to

    def options(self, options: dict[str, Any]) -> dict[str, Any]:
        """The transformer options with this call in them."""
        options = self.facts.family.told(options)
        return {**options, CALL: self, "optimized_attention_override": self.override}

    def close(self) -> None:
        """The call is over."""
        self.leave()
        self.seeing, self.inner, self.forced = (), None, None

    def enter(self, kind: Kind, queries: Tensor, keys: Tensor, options: dict[str, Any]) -> None:
        """A transformer block is about to compute this attention; inputs (B, N, C), not yet projected."""
        self.leave()
        site = self._site(kind, keys, options)
        if site is None:
            return
        self.entered.add(site.layer.ordinal)
        wanted = [seeing for seeing in self.seeing if self._wants(seeing, site)]
        if not wanted:
            return
        if reason := self._why_foreign(site, queries, keys):
            self._step_aside(wanted, reason, site)
            return
        self.site, self.wanted = site, wanted

    def _wants(self, seeing: Seeing, site: Site) -> bool:
        part, tally = seeing
        answer = part.wants(site)
        if isinstance(answer, StepAside):
            tally.step_aside(answer.reason, f"{site.layer}")
        return bool(answer)

    def _why_foreign(self, site: Site, queries: Tensor, keys: Tensor) -> str | None:
        """Why the tensors of a call are not those of the site."""
        rows, tokens = queries.shape[:2]
        expected = site.grid[0] * site.grid[1]
        if tokens != expected or (site.kind == "self" and keys.shape[1] != expected):
            return "another patch has cut or merged the tokens"
        if rows != self.rows.total:
            return f"another patch has made {rows} rows of {self.rows.total}"
        if site.kind == "cross" and self._share(keys) is None:
            return f"another patch gives {keys.shape[1]} keys for a text of {self.forward.text} tokens"
        return None

    def leave(self) -> None:
        """The attention entered last is over: if it never came to us, another patch has computed it."""
        if self.site is not None and self.wanted and not self.reached:
            self._step_aside(self.wanted, LEFT_TO_ANOTHER, self.site)
        self.site, self.wanted, self.reached = None, (), False

    def _step_aside(self, wanted: Sequence[Seeing], reason: str, site: Site) -> None:
        place = f"{site.layer} ({site.kind}-attention)" if reason == LEFT_TO_ANOTHER else str(site.layer)
        for tally in {id(tally): tally for _, tally in wanted}.values():
            tally.step_aside(reason, place)

    def _site(self, kind: Kind, keys: Tensor, options: dict[str, Any]) -> Site | None:
        family = self.facts.family
        place = family.place(options)
        layer = None if place is None else self.facts.layers.find(*place)
        if layer is None:
            return None
        image_tokens, text_tokens = family.token_slices(kind, keys.shape[1])
        return Site(
            family=family.name,
            kind=kind,
            layer=layer,
            grid=family.grid(options),
            image_tokens=image_tokens,
            text_tokens=text_tokens,
            heads=options["n_heads"],
            percent=self.facts.schedule.percent(self.sigma),
            sigma=self.sigma,
            rows=self.rows if kind == "self" else self._rows(keys),
        )

    def _share(self, keys: Tensor) -> int | None:
        """How many text vectors stand behind each key: 1, or more where another patch makes one key of
        several (negative weights); None if that does not come out even."""
        length = max(self.forward.text, 1)
        if keys.shape[1] >= length:
            return 1
        return length // keys.shape[1] if length % keys.shape[1] == 0 else None

    def _rows(self, keys: Tensor) -> Rows:
        """The rows with texts as long as their keys."""
        share = self._share(keys)
        if share in (None, 1):
            return self.rows
        texts = (text and replace(text, tokens=text.tokens // share) for text in self.rows.texts)
        return replace(self.rows, texts=tuple(texts))

    def override(
        self, func: Override, q: Tensor, k: Tensor, v: Tensor, heads: int, *rest: Any, **kwargs: Any
    ) -> Tensor:
        """The `optimized_attention_override` of this call: the host's attention through the parts."""
        host = HostCall(self.inner, self.forced or func, (q, k, v), heads, rest, kwargs)
        site, wanted = self.site, self.wanted
        if site is None:
            return self._unmarked(host)
        if not wanted:
            return host.untouched()
        self.reached = True
        qkv = host.qkv()
        expected = (
            self.rows.total,
            site.grid[0] * site.grid[1],
            site.image_tokens.stop + site.text_tokens.stop,
        )
        if (qkv.q.shape[0], qkv.q.shape[2], qkv.k.shape[2]) != expected:
            self._step_aside(wanted, "another patch attends to other tokens", site)
            return host.untouched()
        if self.counts:
            for _, tally in wanted:
                tally.touch(site)
        innermost = partial(attention, backend=host.backend, wider=host.wider)
        return host.finish(chain([part for part, _ in wanted], site, innermost)(qkv))

    def _unmarked(self, host: HostCall) -> Tensor:
        """An attention of which no mark has told: the family knows it by what the host says of it."""
        options = host.kwargs.get("transformer_options") or {}
        seen = self.facts.family.seen(options, host.size[2], self.forward)
        layer = None if seen is None else self.facts.layers.find(*seen.place)
        if seen is None or layer is None:
            return host.untouched()
        self.entered.add(layer.ordinal)
        sites = [self._seen_site(kind, layer, seen, host) for kind in KINDS_INWARDS if _holds(seen, kind)]
        wanted = [(one, site) for one in self.seeing for site in sites if self._wants(one, site)]
        if not wanted:
            return host.untouched()
        if reason := why_foreign(seen, host, self.rows.total):
            self._step_aside([one for one, _ in wanted], reason, sites[0])
            return host.untouched()
        if self.counts:
            for (_, tally), site in wanted:
                tally.touch(site)
        return SeenAttention(host, seen).through([(part, site) for (part, _), site in wanted])

    def _seen_site(self, kind: Kind, layer: Layer, seen: Seen, host: HostCall) -> Site:
        keys = next(part.tokens for part in seen.parts if part.name == OWN[kind])
        image_tokens, text_tokens = self.facts.family.token_slices(kind, keys)
        return Site(
            family=self.facts.family.name,
            kind=kind,
            layer=layer,
            grid=seen.grid,
            image_tokens=image_tokens,
            text_tokens=text_tokens,
            heads=host.heads,
            percent=self.facts.schedule.percent(self.sigma),
            sigma=self.sigma,
            rows=self.rows,
            rotary=seen.rotary if kind == "self" else None,
        )


def _holds(seen: Seen, kind: Kind) -> bool:
    return any(part.name == OWN[kind] for part in seen.parts)


def enter(kind: Kind, queries: Tensor, keys: Tensor, options: dict[str, Any]) -> None:
    """What the family's marks tell, for the call that travels in these options."""
    call = options.get(CALL)
    if call is not None:
        call.enter(kind, queries, keys, options)
