"""What a forward pass of the model is for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from torch import Tensor

from ....attention_patches.contract.call.site import Rows, Text, Window
from ....attention_patches.contract.denoiser import Stop
from ..facts.caches import computed
from ..facts.hinted_patches import without_hinted
from ..facts.run_facts import RunFacts, Working
from ..facts.texts import Size, cells_of
from ..facts.viewed_id import ViewedId
from .inside.model_call import ModelCall

PASS = "attention_control_pass"
"""Where a pass travels in the transformer options of the calls that the guider makes for it."""

RunModel = Callable[[Tensor, dict[str, Any]], Tensor]
"""(x (rows, C, h, w), transformer options) -> the model's output."""


class Compute(Protocol):
    """How a call of the model is made in place of a plain forward pass."""

    def __call__(self, call: ModelCall, x: Tensor, options: dict[str, Any], forward: RunModel) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class Pass:
    """One call of the guider, which the host may split into several calls of the model.

    `working` is who sees its attention: all methods in the run's own, the one that has asked for it in
    others. `seen` are the conditionings computed in it: guidance nodes pass some once more, which then are
    nobody's text. With `until` each call of the model ends when it has been at all of these.
    """

    kind: Literal["own", "guests", "slope"]
    sigma: float
    images: int  # in one chunk
    size: Size  # of its latents, (height, width) in cells
    texts: Mapping[Any, Text]
    working: Sequence[Working]
    compute: Compute | None = None
    until: frozenset[Stop] = frozenset()
    seen: set[Any] = field(default_factory=set)

    def rows(self, x: Tensor, options: Mapping[str, Any]) -> Rows:
        """Which rows of a call of the model on x (rows, C, h, w) are which."""
        sources = tuple(options.get("cond_or_uncond", (0,)))
        uuids = tuple(options.get("uuids", ()))
        viewed = tuple(uuid if isinstance(uuid, ViewedId) else None for uuid in uuids)
        if len(uuids) != len(sources):
            return Rows(
                sources, self.images, (None,) * len(sources), self._windows(x, (None,) * len(sources))
            )
        known = tuple(
            self.texts.get(uuid if view is None else view.of)
            for uuid, view in zip(uuids, viewed, strict=True)
        )
        texts = tuple(None if uuid in self.seen else text for uuid, text in zip(uuids, known, strict=True))
        self.seen.update(uuids)
        shares = tuple(None if view is None else view.share for view in viewed)
        return Rows(sources, self.images, texts, self._windows(x, known, viewed), any(viewed), shares)

    def _windows(
        self, x: Tensor, texts: Sequence[Text | None], viewed: Sequence[ViewedId | None] = ()
    ) -> tuple[Window | None, ...]:
        """The part of the picture in each chunk, if the call is of that size: of a view what it holds, else
        the text's area."""
        cells = (x.shape[-2], x.shape[-1])
        windows = (Window() if text is None else text.window for text in texts)
        if any(viewed):
            windows = (
                own if view is None else view.window for own, view in zip(windows, viewed, strict=True)
            )
        return tuple(window if cells_of(window, self.size) == cells else None for window in windows)

    @property
    def counts(self) -> bool:
        """Whether what is done in it is what the report tells of; looks on the way to a gradient do not."""
        return self.kind != "slope"


@dataclass(eq=False)
class Ticket:
    """Carries a pass through the options, and nothing once the pass is over, whoever keeps the options."""

    of: Pass | None


@contextmanager
def travelling(pass_: Pass, model_options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """While open, calls of the guider with the options that this gives are for the pass."""
    ticket = Ticket(pass_)
    options = {**model_options.get("transformer_options", {}), PASS: ticket}
    if pass_.kind != "own":
        options["wrappers"] = computed(options.get("wrappers", {}))  # which know nothing of it
    if pass_.kind == "guests":
        options["patches"] = without_hinted(options.get("patches", {}))
    try:
        yield {**model_options, "transformer_options": options}
    finally:
        ticket.of = None


def pass_in(options: Mapping[str, Any]) -> Pass | None:
    """The pass that travels in these transformer options, while it goes on."""
    ticket: Ticket | None = options.get(PASS)
    return None if ticket is None else ticket.of


def own_pass(facts: RunFacts, sigma: float) -> Pass:
    """The run's own."""
    return Pass("own", sigma, facts.images, facts.latent, facts.texts, facts.working)
