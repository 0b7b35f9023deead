"""One forward pass on an existing image: the host's own sampling, cut down to a single call of the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import comfy.sample
import comfy.samplers
import torch
from torch import Tensor

from ....attention_patches.inversion.inversion import Inversion
from ....attention_patches.maps.recorded import AttentionMaps
from ....attention_patches.maps.recorders.concepts import ConceptRecorder
from ....attention_patches.maps.recorders.recorder import Recorder
from ..frames import as_video
from ..numbers import HALF_PRECISION
from ..run.install import Installed, install, installed, reinstalled
from .latents import as_latent, model_latent
from .model_identity import require_model
from .sampled import sampled


@dataclass(frozen=True)
class Probe:
    """What to look at under a prompt: images at a noise level of 0 (the image) to 1 (pure noise).

    They are those of a LATENT, with the seed's noise as a sampler would add it, or those of inversions one
    after the other, in the states that lead to them.
    """

    positive: Any
    images: dict[str, Any] | Sequence[Inversion]
    noise_level: float
    seed: int

    def maps(self, model: Any, recorder: Recorder, node_id: str | None = None) -> AttentionMaps | None:
        """What a recorder with an empty store keeps of the pass; None if it saw nothing of what it wants.

        Raises ValueError as `run` does, and if the attention is not a number.
        """
        self.run(model, recorder, node_id)
        if recorder.store.refused is not None:
            raise ValueError(f"model: nothing can be seen, as {recorder.store.refused}. {HALF_PRECISION}")
        return recorder.store.maps

    def run(self, model: Any, recorder: Recorder, node_id: str | None = None) -> None:
        """Let the recorder see one forward pass of the model with all its other methods.

        A noise mask is ignored. Raises ValueError for latents or inversions that are not this model's.
        """
        sigma = sigma_at(model.get_model_object("model_sampling"), self.noise_level)
        latent, noise, states = self._start(model, sigma)
        sampled(
            _recorded(model, recorder, node_id),
            noise,
            1.0,  # CFG: the positive prompt alone
            comfy.samplers.KSAMPLER(partial(_call_once, states)),
            torch.tensor([sigma, 0.0]),
            self.positive,
            None,
            latent,
            self.seed,
        )

    def _start(self, model: Any, sigma: float) -> tuple[Tensor, Tensor, Tensor | None]:
        """A latent, noise to be added to it, and the states to look at if they are others."""
        if isinstance(self.images, Mapping):
            latent = model_latent(model, self.images)
            noise = comfy.sample.prepare_noise(latent, self.seed, self.images.get("batch_index"))
            return latent, noise, None
        for inversion in self.images:
            require_model(inversion, model)
        sizes = [inversion.size for inversion in self.images]
        if len(set(sizes)) > 1:
            raise ValueError(
                f"other_inversion is of {sizes[1][1]} x {sizes[1][0]} latent cells and inversion of "
                f"{sizes[0][1]} x {sizes[0][0]}; they are looked at in one batch. Scale both pictures to one "
                "size before you invert them."
            )
        states = torch.cat([inversion.at(sigma) for inversion in self.images])
        latent = as_latent(model, torch.cat([inversion.picture for inversion in self.images]))
        return latent, torch.zeros_like(latent), states


def sigma_at(model_sampling: Any, noise_level: float) -> float:
    """The host's sigma at a fraction of the noise schedule: 0.6 is timestep 599 of 1000 in SD and SDXL. Flow
    models have shifted schedules: on Flux.1 it is a sigma of 0.83."""
    sigma = float(model_sampling.percent_to_sigma(1.0 - noise_level))
    return min(max(sigma, float(model_sampling.sigma_min)), float(model_sampling.sigma_max))


def _call_once(
    states: Tensor | None, model: Any, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any], **_: Any
) -> Tensor:
    """A sampler that calls the model on the noisy latent, or on these states, and gives back the picture."""
    seen = x if states is None else as_video(states.to(x), x)
    model(seen, sigmas[0] * x.new_ones([x.shape[0]]), **extra_args)
    image: Tensor = model.latent_image
    return image


def _recorded(model: Any, recorder: Recorder, node_id: str | None) -> Any:
    """The model with this recorder alone: those of other nodes keep the maps of their own runs, and what
    other nodes show stays that of the run they are for."""
    others = [
        Installed(spec.method.looking, None)
        for spec in installed(model)
        if not isinstance(spec.method, Recorder | ConceptRecorder)
    ]
    return reinstalled(install(model, recorder, node_id), (*others, Installed(recorder, node_id)))
