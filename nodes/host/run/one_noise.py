"""Let samplers that draw noise between their steps draw it once, for all images of a batch."""

import copy
from collections.abc import Callable
from typing import Any

from comfy.k_diffusion import sampling
from comfy.samplers import KSAMPLER
from torch import Tensor

from ..facts.samplers import BROWNIAN, NOISE_SAMPLER, Differs, draws, unheeded

Draw = Callable[[Tensor, Tensor], Tensor]


def with_one_noise(
    executor: Any, noise: Tensor, sigmas: Tensor, seed: int | None, masked: bool = False
) -> tuple[Any, Differs | None]:
    """The executor of a sampler that draws for the first image alone what all (B, C, h, w) get, so that this
    one gets what it would get alone; and why not, where the sampler cannot be told to, or it is not
    known.

    `masked` says whether a noise mask leaves something out. Samplers that draw nothing stay as they are.
    """
    sampler = executor.class_obj
    if not isinstance(sampler, KSAMPLER):
        kind = type(sampler).__name__
        foreign = Differs(f"the sampler is no sampler of the host's kind ({kind})", certain=False)
        return executor, None if getattr(sampler, "draws_nothing", False) else foreign
    if masked and sampler.inpaint_options.get("random", False):
        sampler = OneBehindMask(sampler)
        executor = _of(sampler, executor)
    function, options = sampler.sampler_function, sampler.extra_options
    if options.get("s_churn", 0.0) > 0:
        return executor, Differs("with s_churn the sampler adds noise of its own to each image")
    if NOISE_SAMPLER in options:
        return executor, Differs("another node has told the sampler how to draw its noise", certain=False)
    if not draws(function, options) or len(sigmas) < 2:
        return executor, unheeded(function)
    drawing = copy.copy(sampler)
    drawing.extra_options = {
        **options,
        NOISE_SAMPLER: _for_all(_one(function, noise, sigmas, seed), len(noise)),
    }
    return _of(drawing, executor), unheeded(function)


def _of(sampler: KSAMPLER, executor: Any) -> Any:
    """The executor with another sampler in it."""
    return type(executor)(sampler.sample, sampler, executor.wrappers, executor.idx)


class OneBehindMask(KSAMPLER):
    """A sampler of the host's that draws another noise for what a noise mask leaves out (`ddim`): here all
    images have there what the first one has."""

    def __init__(self, sampler: KSAMPLER) -> None:
        super().__init__(sampler.sampler_function, sampler.extra_options, sampler.inpaint_options)
        self.sampler = sampler

    def sample(self, *args: Any, **named: Any) -> Tensor:
        alike = copy.copy(self.sampler)
        alike.extra_options, alike.sampler_function = self.extra_options, self._from_one_noise
        out: Tensor = alike.sample(*args, **named)
        return out

    def _from_one_noise(self, model: Any, *args: Any, **named: Any) -> Tensor:
        """The sampler's function on the host's masked model, which has its noise since a moment ago."""
        model.noise = model.noise[:1].expand_as(model.noise)
        out: Tensor = self.sampler_function(model, *args, **named)
        return out


def _one(function: Any, noise: Tensor, sigmas: Tensor, seed: int | None) -> Draw:
    """What the sampler would draw by for the first image alone."""
    first = noise[:1]
    if function not in BROWNIAN:
        return sampling.default_noise_sampler(first, seed=seed)
    low, high = sigmas[sigmas > 0].min(), sigmas.max()
    return sampling.BrownianTreeNoiseSampler(first, low, high, seed=seed, cpu=BROWNIAN[function])


def _for_all(draw: Draw, images: int) -> Draw:
    def drawn(sigma: Tensor, after: Tensor) -> Tensor:
        noise = draw(sigma, after)
        return noise.expand(images, *noise.shape[1:])

    return drawn
