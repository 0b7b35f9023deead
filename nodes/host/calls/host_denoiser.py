"""The rest of a call of the sampler as one method sees it."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass

from torch import Tensor

from ....attention_patches.contract.attention_part import AttentionPart
from ....attention_patches.contract.denoiser import Stop, Visitor
from ....attention_patches.contract.objective import Objective, Slope
from ....attention_patches.contract.schedule import PercentRange
from ..facts.run_facts import Working
from .sampler_call import SamplerCall

Guider = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class HostDenoiser:
    """The contract's `Denoiser` for one method in one call of the sampler."""

    call: SamplerCall
    owner: Working
    inner: Guider
    given: Tensor

    @property
    def sigma(self) -> float:
        return self.call.sigma

    @property
    def signal(self) -> float:
        return 1.0 - self.call.sigma if self.call.facts.flow else 1.0

    @property
    def percent(self) -> float:
        return self.call.percent

    def within(self, range_: PercentRange) -> bool:
        return self.call.facts.schedule.within(self.sigma, range_)

    def rest(self, latents: Tensor) -> Tensor:
        return self.inner(latents)

    def guests(
        self,
        latents: Tensor,
        part: Visitor,
        until: Collection[Stop] = (),
        prompt: object = None,
        whole: bool = False,
    ) -> Tensor:
        return self.call.guests(latents, self.owner, part, until, prompt, whole)

    def pushing(self, prompt: object, weight: float) -> AbstractContextManager[bool]:
        return self.call.pushing(prompt, weight)

    def slope(self, latents: Tensor, part: AttentionPart | None, objective: Objective) -> Slope | None:
        return self.call.slope(latents, self.owner, part, objective)
