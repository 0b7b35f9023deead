"""Runs of the host's sampling that a node makes by itself."""

from collections.abc import Callable
from typing import Any

import comfy.model_management
import comfy.samplers
import comfy.utils
from torch import Tensor


def sampled(
    model: Any,
    noise: Tensor,
    cfg: float,
    sampler: Any,
    sigmas: Tensor,
    positive: Any,
    negative: Any,
    latent: Tensor,
    seed: int,
    callback: Callable[..., None] | None = None,
    quiet: bool = False,
) -> Tensor:
    """As the host's `sample_custom`; but where `negative` is None there is none, as with BasicGuider.

    An empty one will not do: the host would share the ControlNet of the positive with it.
    """
    guider = comfy.samplers.CFGGuider(model)
    guider.inner_set_conds({"positive": positive} | ({} if negative is None else {"negative": negative}))
    guider.set_cfg(cfg)
    samples: Tensor = guider.sample(
        noise,
        latent,
        sampler,
        sigmas,
        callback=callback,
        disable_pbar=quiet or not comfy.utils.PROGRESS_BAR_ENABLED,
        seed=seed,
    )
    management = comfy.model_management
    return samples.to(device=management.intermediate_device(), dtype=management.intermediate_dtype())
