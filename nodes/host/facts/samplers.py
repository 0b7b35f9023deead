"""What the host's samplers do between their steps, by their functions: what they draw, what they remember."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from comfy.k_diffusion import sampling

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

REMEMBERING = {
    sampling.sample_dpmpp_3m_sde: 2,
    sampling.sample_dpmpp_3m_sde_gpu: 2,
    sampling.sample_dpmpp_2m_cfg_pp: 1,
}
"""Samplers that go on from what they expected long before, so that it tells; for how many steps. That of
`dpmpp_2m_cfg_pp` is the negative prompt's, which nobody sees outside."""

HOSTS = ("comfy", "comfy_extras")  # packages with samplers of the host's own
UNTOLD = ("sample_lcm_upscale", "sample_ar_video")
"""Of these, the ones that draw noise for each image and take no `noise_sampler`."""


def remembered(sampler: Any) -> int:
    """For how many further steps a sampler goes on from what it expected before a change, where it tells."""
    function = getattr(sampler, "sampler_function", None)
    return next((many for known, many in REMEMBERING.items() if known is function), 0)


@dataclass(frozen=True)
class Differs:
    """Why images get different noise, or may get it where that is not known for certain."""

    reason: str
    certain: bool = True


def draws(function: Any, options: Mapping[str, Any]) -> bool:
    """Whether it draws noise and can be told how; one that hands on all that it is told does so with an eta
    only."""
    parameters = inspect.signature(function).parameters
    hands_on = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return NOISE_SAMPLER in parameters or (hands_on and options.get("eta", 0.0) > 0)


def unheeded(function: Any) -> Differs | None:
    """Whether images may get different noise from a sampler's function, whatever it is told; None for one
    that listens, or draws nothing."""
    if NOISE_SAMPLER in inspect.signature(function).parameters:
        return None
    name = getattr(function, "__name__", type(function).__name__)
    if (getattr(function, "__module__", None) or "").partition(".")[0] not in HOSTS:
        reason = f"it is not known whether the sampler ({name}) adds noise of its own to each image"
        return Differs(reason, certain=False)
    return Differs(f"the sampler ({name}) adds noise of its own to each image") if name in UNTOLD else None
