"""The guider's calls in one run, through the parts that change them."""

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from torch import Tensor

from ....attention_patches.contract.method import CallPart, GuidingPart
from ..facts.run_facts import RunFacts
from ..frames import as_video, of_one_frame
from .guest_prompts import GuestPrompts
from .host_denoiser import HostDenoiser
from .masked_model import masked_state
from .sampler_call import SamplerCall
from .sampler_state import SamplerState
from .slopes import LossScale


@dataclass(eq=False)
class PredictNoise:
    """Wraps the guider's calls in one run."""

    facts: RunFacts
    prompts: GuestPrompts  # for guests of another size
    state: SamplerState
    scale: LossScale = field(default_factory=LossScale)

    def predict_noise(
        self, executor: Any, x: Tensor, timestep: Tensor, model_options: Any = None, seed: int | None = None
    ) -> Tensor:
        """Wrapper round the guider: x (B, C, h, w) at sigma `timestep` (B,); gives what it denoises to."""
        call = SamplerCall(
            self.facts,
            self.prompts,
            self.scale,
            executor,
            x,
            timestep,
            dict(model_options or {}),
            seed,
        )
        self._count(call)
        if not self.changes_calls:
            return as_video(call.own(of_one_frame(x)), x)
        return self.state.call(x, call.sigma, masked_state(call.options), partial(self.through, call))

    @cached_property
    def changes_calls(self) -> bool:
        """Whether a part of the run works round the guider's calls."""
        return any(isinstance(part, CallPart | GuidingPart) for w in self.facts.working for part in w.parts)

    def through(self, call: SamplerCall, x: Tensor) -> Tensor:
        """Who guides shifts the latents first, the last node before the others; then the parts work in the
        order of their nodes, the last one outermost. Gives the picture expected at x."""
        host, x = x, of_one_frame(x)
        working, inner, given = self.facts.working, call.own, x
        if any(isinstance(part, GuidingPart) for w in working for part in w.parts):
            given = x.clone()
        guided = []
        for one in working:
            model = HostDenoiser(call, one, inner, given)
            for part in one.parts:
                if isinstance(part, GuidingPart):
                    guided.append((one, part, model))
                if isinstance(part, CallPart):
                    inner = partial(part.denoise, model=model)
                    model = HostDenoiser(call, one, inner, given)
        for one, part, model in reversed(guided):
            one.tally.shifts += part.shift(x, model)
        return as_video(inner(x), host)

    def _count(self, call: SamplerCall) -> None:
        for one in self.facts.working:
            if not self.facts.schedule.within(call.sigma, one.method.during):
                continue
            one.tally.asked.add(call.sigma)
            if one.works_by_the_call:
                one.tally.touch_call(len(call.latents), call.sigma)
