"""One forward pass on an existing image: the host's own sampling, cut down to a single call of the model."""

from dataclasses import dataclass, replace
from typing import Any

import comfy.sample
import comfy.samplers
import comfy.utils
import torch
from torch import Tensor

from ...attention_patches.patch import Patch
from .install import Installed, install, installed
from .latents import model_latent
from .model_call import KEY


@dataclass(frozen=True)
class Probe:
    """What to look at: a LATENT under a prompt, at a noise level of 0 (the image) to 1 (pure noise)."""

    positive: Any
    latent: dict[str, Any]
    noise_level: float
    seed: int

    def run(self, model: Any, observer: Patch, node_id: str | None = None) -> None:
        """Let the observer see one forward pass of the model with all its other patches.

        Noise is the seed's, as a sampler would add it; a noise mask is ignored. Raises ValueError if the
        latent is not one of this model's.
        """
        latent = model_latent(model, self.latent)
        noise = comfy.sample.prepare_noise(latent, self.seed, self.latent.get("batch_index"))
        sigma = sigma_at(model.get_model_object("model_sampling"), self.noise_level)
        comfy.sample.sample_custom(
            _observed(model, observer, node_id),
            noise,
            1.0,  # CFG: the positive prompt alone
            comfy.samplers.KSAMPLER(_call_once),
            torch.tensor([sigma, 0.0]),
            self.positive,
            [],
            latent,
            disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED,
            seed=self.seed,
        )


def sigma_at(model_sampling: Any, noise_level: float) -> float:
    """The host's sigma at a fraction of the noise schedule: 0.6 is timestep 599 of 1000 in SD and SDXL."""
    sigma = float(model_sampling.percent_to_sigma(1.0 - noise_level))
    return min(max(sigma, float(model_sampling.sigma_min)), float(model_sampling.sigma_max))


def _call_once(model: Any, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any], **_: Any) -> Tensor:
    """A sampler that calls the model on the noisy latent and gives back the latent as it came."""
    model(x, sigmas[0] * x.new_ones([x.shape[0]]), **extra_args)
    image: Tensor = model.latent_image
    return image


def _observed(model: Any, observer: Patch, node_id: str | None) -> Any:
    """The model with this observer alone: those of other nodes keep the maps of their own runs, and what
    other nodes show stays that of the run they are for."""
    clone = install(model, observer, node_id)
    others = [replace(spec, node_id=None) for spec in installed(model) if not spec.patch.observes]
    clone.set_attachments(KEY, (*others, Installed(observer, node_id)))
    return clone
