"""Let a shift of the latents that the guider gets reach the sampler, where they are not the sampler's own.

Most samplers give the guider the very tensor they go on from. Not so under a noise mask, where the host puts
a blend in its place; and UniPC scales a copy.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from comfy.extra_samplers.uni_pc import sample_unipc, sample_unipc_bh2
from comfy.k_diffusion import sampling
from comfy.samplers import KSAMPLER
from torch import Tensor

from ....attention_patches.contract.method import LeftOut
from .masked_model import Masked, MaskedState

COPYING = (sample_unipc, sample_unipc_bh2)
CORRECTING = {sampling.sample_sa_solver, sampling.sample_sa_solver_pece}
FORGOTTEN = (
    "SA-Solver goes on from latents of its own, by which a part of each shift is lost: take another sampler."
)


def is_masked(rest: Sequence[Any], named: Mapping[str, Any]) -> bool:
    """Whether there is a noise mask among what a sampler gets behind sigmas and further arguments."""
    return named.get("denoise_mask", rest[3] if len(rest) > 3 else None) is not None


class SamplerState:
    """What the sampler goes on from, in one run."""

    def __init__(self) -> None:
        self.copied = False  # whether the sampler's latents are out of reach
        self.remark: str | None = None  # on what becomes of shifts
        self.lead: Tensor | None = None  # how far ahead of them the true ones are
        self.lead_sigma = 1.0
        self.left_out: LeftOut | None = None  # who knows what a noise mask leaves out

    def sample(self, executor: Any, guider: Any, sigmas: Tensor, extra: Any, *rest: Any, **named: Any) -> Any:
        """Wrapper round the sampler."""
        sampler = executor.class_obj
        function: Any = getattr(sampler, "sampler_function", None)
        self.copied, self.remark = function in COPYING, FORGOTTEN if function in CORRECTING else None
        if is_masked(rest, named) and isinstance(sampler, KSAMPLER):
            seen = copy.copy(sampler)
            seen.sampler_function = Masked(function, self.left_out)
            executor = type(executor)(seen.sample, seen, executor.wrappers, executor.idx)
        out = executor(guider, sigmas, extra, *rest, **named)
        return out if self.lead is None else out + self._left(guider, sigmas[-1])

    def _left(self, guider: Any, sigma: Tensor) -> Tensor:
        """How far ahead the true latents are at the end of a run, as the sampler gives them out."""
        assert self.lead is not None
        left: Tensor = guider.inner_model.model_sampling.inverse_noise_scaling(
            sigma, self.lead * (sigma / self.lead_sigma)
        )
        return left

    def call(
        self, x: Tensor, sigma: float, masked: MaskedState | None, guided: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """One call of the guider on x, from whose changes the sampler should go on."""
        if not self.copied and masked is None:
            return guided(x)
        before = x.clone()
        if self.copied:
            # a step of UniPC scales what it goes on from as the noise falls: so does the lead
            x = before.clone() if self.lead is None else before + self.lead * (sigma / self.lead_sigma)
        out = guided(x)
        if self.copied:
            self.lead, self.lead_sigma = x - before, sigma
        elif masked is not None:
            masked.latents.add_(x - before)
        return out
