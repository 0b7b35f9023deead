"""Every forward pass of a run: which rows, which sigma, which parts see its attention."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ....attention_patches.contract.attention_part import AttentionPart
from ....attention_patches.contract.call.site import Rows
from ....attention_patches.contract.concepts import ConceptPart
from ....attention_patches.contract.method import ScopePart
from ....attention_patches.contract.report import Tally
from ....attention_patches.contract.residual import ResidualPart
from ..facts.hinted_patches import hinted, sparing
from ..facts.run_facts import RunFacts, Working
from ..families.family import Forward
from ..reached import Reached
from .inside.concepts_beside import ConceptsBeside
from .inside.ending import Ending
from .inside.model_call import ModelCall
from .inside.residual_call import ResidualCall
from .passes import Pass, RunModel, own_pass, pass_in


@dataclass(frozen=True, eq=False)
class ApplyModel:
    """Wraps the model's calls in one run."""

    facts: RunFacts

    def apply_model(
        self,
        executor: Any,
        x: Tensor,
        t: Tensor,
        c_concat: Any = None,
        c_crossattn: Any = None,
        control: Any = None,
        transformer_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """Wrapper round one call of the model on x (rows, C, h, w) at sigma `t` (rows,)."""
        options = transformer_options or {}
        # who samples with options kept from before the call makes the run's own passes
        pass_ = pass_in(options) or own_pass(self.facts, float(t[0]))
        rows = pass_.rows(x, options)
        left = None if pass_.kind == "guests" else self._controlled(control, rows)
        options = self._spared(options, x, rows)
        working = self._in_range(pass_, x, rows, options)
        parts = [(part, one.tally) for one in working for part in one.parts]
        ending = [(Ending(set(pass_.until)), working[0].tally)] if pass_.until and working else []
        vectors = 0 if c_crossattn is None else c_crossattn.shape[1]
        text = self.facts.family.text_tokens(vectors, kwargs)
        call = ModelCall(
            self.facts,
            rows,
            pass_.sigma,
            Forward((x.shape[-2], x.shape[-1]), text, kwargs),
            [(part, tally) for part, tally in [*ending, *parts] if isinstance(part, AttentionPart)],
            # looked up here: only now the host has merged in what conditionings carry
            options.get("optimized_attention_override"),
            pass_.counts,
        )

        def forward(x: Tensor, options: dict[str, Any]) -> Tensor:
            out: Tensor = executor(x, t, c_concat, c_crossattn, left, options, **kwargs)
            return out

        try:
            if pass_.compute is not None:
                with self.facts.eager.hold():
                    return pass_.compute(call, x, options, forward)
            if not working:
                return forward(x, options)
            inwards = [*reversed(parts), *ending]
            seeing = [(part, tally) for part, tally in inwards if isinstance(part, ResidualPart)]
            with self._residuals(call, seeing, options) as options:
                return self._through(call, working, x, options, forward)
        finally:
            call.close()

    @contextmanager
    def _residuals(
        self, call: ModelCall, seeing: Sequence[tuple[ResidualPart, Tally]], options: dict[str, Any]
    ) -> Iterator[dict[str, Any]]:
        """The options of a call in which these see residuals, while it lasts."""
        if not seeing:
            yield options
            return
        residuals = ResidualCall(self.facts, call.rows, call.sigma, seeing)
        yield self.facts.family.seen_residuals(options, residuals)
        residuals.leave()

    def _through(
        self,
        call: ModelCall,
        working: list[Working],
        x: Tensor,
        options: dict[str, Any],
        forward: RunModel,
    ) -> Tensor:
        with ExitStack() as scopes:
            for one in working:
                for part in one.parts:
                    if isinstance(part, ScopePart):
                        scopes.enter_context(part.around(call.rows))
                        one.tally.touch_scope(call.rows, call.sigma)
            scopes.enter_context(self.facts.eager.hold())
            try:
                out = forward(x, self._with_concepts(call, working, call.options(options)))
            except Reached:
                return torch.zeros_like(x)
        for one in working:
            one.tally.follow(call.sigma, call.entered, self.facts.layers.layers)
        return out

    def _with_concepts(
        self, call: ModelCall, working: list[Working], options: dict[str, Any]
    ) -> dict[str, Any]:
        """The options of a call in which the concepts of parts go beside the text."""
        for one in working:
            for part in one.parts:
                if isinstance(part, ConceptPart):
                    beside = ConceptsBeside(self.facts, call, part, one.tally)
                    options = self.facts.family.with_concepts(options, beside, call.forward.cells)
        return options

    def _in_range(self, pass_: Pass, x: Tensor, rows: Rows, options: dict[str, Any]) -> list[Working]:
        """Who works in a call of the model."""
        report, schedule, sigma = self.facts.report, self.facts.schedule, pass_.sigma
        if pass_.kind == "own":
            report.passes += 1
            report.sigmas.add(sigma)
        active = []
        for working in pass_.working:
            if pass_.kind == "own" and not schedule.within(sigma, working.method.during):
                continue
            working.tally.passes += 1
            if reason := _unfit(pass_, x, rows, options) or _unplaced(working, pass_, x, rows):
                working.tally.step_aside(reason, "all layers")
                working.tally.computed.add(sigma)
            else:
                active.append(working)
        return active

    def _controlled(self, control: Any, rows: Rows) -> Any:
        """ControlNet's residuals {block: [(B, C, h, w) or None]} without those of images that want none."""
        images = self.facts.uncontrolled()
        if control is None or not images:
            return control
        return {name: [_without(c, rows, images) for c in residuals] for name, residuals in control.items()}

    def _spared(self, options: dict[str, Any], x: Tensor, rows: Rows) -> dict[str, Any]:
        """The options of a call in which ControlNets on the model leave these images alone too."""
        images, patches = self.facts.uncontrolled(), options.get("patches", {})
        if not images or not hinted(patches) or x.shape[0] != rows.total:
            return options
        of_images = rows.split(torch.arange(rows.total))[:, images].flatten()
        return {**options, "patches": sparing(patches, of_images)}


def _unfit(pass_: Pass, x: Tensor, rows: Rows, options: dict[str, Any]) -> str | None:
    """Why the rows of a call are not whole batches of images."""
    if _windowed(x, rows, options.get("context_window")):
        return "context windows cut the batch or the picture"
    if x.shape[0] != rows.total and not any(rows.windows):
        return f"the model got {x.shape[0]} rows with {_part(pass_, x)}, for {rows.total} of the run"
    if x.shape[0] != rows.total:
        return f"the model got {x.shape[0] / len(rows.sources):g} of {rows.images} images in one call"
    return None


def _windowed(x: Tensor, rows: Rows, window: Any) -> bool:
    """Whether a call is for this context window of the host, which stays in the options behind its own
    calls."""
    if window is None:
        return False
    frames = x.shape[0] // len(rows.sources) if window.dim == 0 else x.shape[window.dim]
    anchored = getattr(window, "causal_anchor_index", None) is not None  # one more frame in front of it
    return bool(frames == len(window.index_list) + anchored)


def _unplaced(working: Working, pass_: Pass, x: Tensor, rows: Rows) -> str | None:
    """Why a method that must know the places of the picture cannot work in a call."""
    if not working.method.needs_place or all(window is not None for window in rows.windows):
        return None
    return f"the model got {_part(pass_, x)}, and nobody says which"


def _part(pass_: Pass, x: Tensor) -> str:
    height, width = pass_.size
    return f"a part of the picture, {x.shape[-2]} x {x.shape[-1]} of {height} x {width} cells"


def _without(residual: Tensor | None, rows: Rows, images: list[int]) -> Tensor | None:
    if residual is None or residual.shape[0] not in (1, rows.total):
        return residual
    copy = residual.expand(rows.total, *residual.shape[1:]).clone()
    rows.split(copy)[:, torch.tensor(images, device=copy.device)] = 0
    return copy
