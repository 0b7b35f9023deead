"""Let samplers that draw noise between their steps draw it once, for all images of a batch."""

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from comfy.k_diffusion import sampling
from comfy.samplers import KSAMPLER
from torch import Tensor

NOISE_SAMPLER = "noise_sampler"  # the host's name for what draws, among the arguments of a sampler's function
BROWNIAN = {
    sampling.sample_dpmpp_sde: True,
    sampling.sample_dpmpp_2m_sde: True,
    sampling.sample_dpmpp_2m_sde_heun: True,
    sampling.sample_dpmpp_3m_sde: True,
    sampling.sample_dpmpp_sde_gpu: False,
    sampling.sample_dpmpp_2m_sde_gpu: False,
    sampling.sample_dpmpp_2m_sde_heun_gpu: False,
    sampling.sample_dpmpp_3m_sde_gpu: False,
}
"""Samplers whose noise is a path that does not hang on the steps; whether it is drawn on the processor."""

Draw = Callable[[Tensor, Tensor], Tensor]


def with_one_noise(executor: Any, noise: Tensor, sigmas: Tensor, seed: int | None) -> tuple[Any, str | None]:
    """The executor of a sampler that draws for the first image alone what all (B, C, h, w) get, so that this
    one gets what it would get alone; and why not, where the sampler cannot be told to.

    Samplers that draw nothing stay as they are.
    """
    sampler = executor.class_obj
    if not isinstance(sampler, KSAMPLER):
        return executor, f"the sampler is no sampler of the host's kind ({type(sampler).__name__})"
    function, options = sampler.sampler_function, sampler.extra_options
    if options.get("s_churn", 0.0) > 0:
        return executor, "with s_churn the sampler adds noise of its own to each image"
    if NOISE_SAMPLER in options:
        return executor, "another node has told the sampler how to draw its noise"
    if not _draws(function, options) or len(sigmas) < 2:
        return executor, None
    drawing = copy.copy(sampler)
    drawing.extra_options = {
        **options,
        NOISE_SAMPLER: _for_all(_one(function, noise, sigmas, seed), len(noise)),
    }
    return type(executor)(drawing.sample, drawing, executor.wrappers, executor.idx), None


def _draws(function: Any, options: Mapping[str, Any]) -> bool:
    """Whether it draws noise; one that hands on all that it is told does so with an eta only."""
    parameters = inspect.signature(function).parameters
    hands_on = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return NOISE_SAMPLER in parameters or (hands_on and options.get("eta", 0.0) > 0)


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
