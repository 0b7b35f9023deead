"""How well a model removes noise from pictures under several texts, through the host's own sampling."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import comfy.sample
import comfy.samplers
import comfy.utils
import torch
from torch import Tensor

from ..facts.caches import without_caches
from ..frames import of_one_frame
from ..numbers import HALF_PRECISION
from ..run.install import reinstalled
from ..text.prompt_batch import encode_rows
from .latents import model_latent
from .probe import sigma_at
from .sampled import sampled

LEVELS = tuple((number + 0.5) / 12 for number in reversed(range(8)))
"""Noise levels, from two thirds to next to none; above them hardly anything of the picture is left."""


def errors_under(model: Any, clip: Any, texts: Sequence[str], latents: Tensor, seed: int) -> Tensor:
    """Squared errors (texts, images, h, w), summed over channels and noise levels, float32 on the CPU.

    Each level's are divided by the square of the noise's share in its states, which are of deviation 1 then.
    All texts meet the same noise. The model is asked without the pack's methods and the host's caches on it.
    Raises ValueError if the latents (images, C, h, w), as a LATENT holds them, are not this model's, or if
    what it gives is not a number.
    """
    try:
        pictures = model_latent(model, {"samples": latents})
    except ValueError as error:
        raise ValueError(f"model: it is not the one of the recorded run: {error}") from error
    plain = reinstalled(without_caches(model), ())
    sampling = model.get_model_object("model_sampling")
    sigmas = torch.tensor([sigma_at(sampling, level) for level in LEVELS])
    noises = [comfy.sample.prepare_noise(pictures, seed + number) for number in range(len(LEVELS))]
    different = dict.fromkeys(texts)
    bar = comfy.utils.ProgressBar(len(different) * len(LEVELS))
    prompts = {text: encode_rows(clip, [text]) for text in different}  # all, before the model is loaded
    errors = {text: _error(plain, prompts[text], pictures, sigmas, noises, seed, bar) for text in different}
    found = torch.stack([errors[text] for text in texts])
    if not found.isfinite().all():
        raise ValueError(f"model: it cannot be asked, as what it gives is not a number. {HALF_PRECISION}")
    return found


def _error(
    model: Any,
    positive: Any,
    pictures: Tensor,
    sigmas: Tensor,
    noises: Sequence[Tensor],
    seed: int,
    bar: Any,
) -> Tensor:
    """(images, h, w) under one text."""
    found: list[Tensor] = []
    sampled(
        model,
        torch.zeros_like(pictures),
        1.0,  # CFG: the text alone
        comfy.samplers.KSAMPLER(partial(_look, noises, found, bar)),
        torch.cat([sigmas, sigmas.new_zeros(1)]),
        positive,
        None,
        pictures,
        seed,
        quiet=True,
    )
    return torch.stack(found).sum(0)


def _look(
    noises: Sequence[Tensor],
    found: list[Tensor],
    bar: Any,
    model: Any,
    x: Tensor,
    sigmas: Tensor,
    extra_args: dict[str, Any],
    **_: Any,
) -> Tensor:
    """A sampler that calls the model on its picture under some noise at each level, and keeps the errors."""
    picture: Tensor = model.latent_image
    sampling = model.inner_model.inner_model.model_sampling
    for sigma, noise in zip(sigmas[:-1], noises, strict=True):
        state = sampling.noise_scaling(sigma, noise.to(picture), picture)
        error = model(state, sigma * x.new_ones([x.shape[0]]), **extra_args) - picture
        found.append(of_one_frame(error).float().square().sum(1).cpu() * _weight(sampling, float(sigma)))
        bar.update(1)
    return picture


def _weight(sampling: Any, sigma: float) -> float:
    """1 / the squared share of the noise in a state of deviation 1."""
    kept = float(sampling.noise_scaling(torch.tensor(sigma), torch.zeros(()), torch.ones(())))
    return (sigma**2 + kept**2) / sigma**2
