"""Samplers that walk a picture's trajectory: from the picture to noise, and back along stored noise."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import comfy.samplers
import torch
from torch import Tensor

from ...attention_patches.inversion import Inversion, Method, ddim_step, ddpm_noise, ddpm_step

AfterStep = Callable[[Tensor, int], Tensor]
"""(latents (B, C, h, w) after a step, how many steps of the inversion are done) -> latents to go on with."""


class Inverter(comfy.samplers.Sampler):  # type: ignore[misc]
    """Finds states and noise of the latents it is given. One object serves one run and keeps the result."""

    def __init__(self, method: Method, seed: int) -> None:
        self.method = method
        self.seed = seed
        self.states: Tensor | None = None  # (S + 1, B, C, h, w), on the CPU
        self.noise: Tensor | None = None  # (S, B, C, h, w)

    def sample(
        self,
        model: Any,
        sigmas: Tensor,
        extra_args: dict[str, Any],
        callback: Any,
        noise: Tensor,
        latent_image: Tensor,
        denoise_mask: Tensor | None = None,
        disable_pbar: bool = False,
    ) -> Tensor:
        """`sigmas` (S + 1,) falls to 0 whichever way we walk. Returns the noisiest state."""

        def denoised(latents: Tensor, sigma: float) -> Tensor:
            out: Tensor = model(latents, latents.new_full((len(latents),), sigma), **extra_args)
            return out

        levels = sigmas.tolist()
        walk = _ddim_states if self.method == "ddim" else self._edit_friendly_states
        self.states = walk(latent_image, levels, denoised, callback)
        return self.states[0].to(latent_image)

    def _edit_friendly_states(
        self, picture: Tensor, sigmas: list[float], denoised: Any, callback: Any
    ) -> Tensor:
        """Each state has noise of its own, drawn on the CPU; then the steps between them are explained."""
        steps = len(sigmas) - 1
        draw = torch.Generator().manual_seed(self.seed)
        fresh = torch.randn((steps, *picture.shape), generator=draw)
        states = torch.cat(
            [picture.cpu() + s * n for s, n in zip(sigmas, [*fresh, 0 * fresh[0]], strict=True)]
        )
        states = states.unflatten(0, (steps + 1, len(picture)))
        noise = torch.empty_like(fresh)
        state = states[0].to(picture)
        for i in range(steps):
            expected = denoised(state, sigmas[i])
            found = ddpm_noise(state, expected, sigmas[i], sigmas[i + 1], states[i + 1].to(picture))
            state = ddpm_step(state, expected, sigmas[i], sigmas[i + 1], found)
            noise[i], states[i + 1] = found.cpu(), state.cpu()
            if callback is not None:
                callback(i, expected, state, steps)
        self.noise = noise
        return states


def _ddim_states(picture: Tensor, sigmas: list[float], denoised: Any, callback: Any) -> Tensor:
    """From the picture to noise: the model looks at the cleaner state under the name of the noisier sigma."""
    steps = len(sigmas) - 1
    states = [picture]
    for i in reversed(range(steps)):
        cleaner, noisier = sigmas[i + 1], sigmas[i]
        # the model's input is state / sqrt(1 + sigma^2); it shall be that of the cleaner state
        seen = states[0] * ((1 + noisier**2) / (1 + cleaner**2)) ** 0.5
        expected = denoised(seen, noisier)
        noise = (seen - expected) / noisier
        states.insert(0, states[0] + (noisier - cleaner) * noise)
        if callback is not None:
            callback(steps - 1 - i, expected, states[0], steps)
    return torch.stack([state.cpu() for state in states])


class Replay(comfy.samplers.Sampler):  # type: ignore[misc]
    """Samples from a stored state with the stored noise; what it is given as noise or latent is not used.

    The schedule of the run must be the inversion's own, whole or from one of its steps on.
    """

    def __init__(self, inversion: Inversion, after_step: AfterStep | None = None) -> None:
        self.inversion = inversion
        self.after_step = after_step

    def sample(
        self,
        model: Any,
        sigmas: Tensor,
        extra_args: dict[str, Any],
        callback: Any,
        noise: Tensor,
        latent_image: Tensor | None = None,
        denoise_mask: Tensor | None = None,
        disable_pbar: bool = False,
    ) -> Tensor:
        first = first_step(self.inversion, sigmas)
        levels, stored = sigmas.tolist(), self.inversion.noise
        latents = self.inversion.states[first].to(noise)
        for i, (sigma, after) in enumerate(pairwise(levels)):
            expected = model(latents, latents.new_full((len(latents),), sigma), **extra_args)
            if callback is not None:
                callback(i, expected, latents, len(levels) - 1)
            if stored is None:
                latents = ddim_step(latents, expected, sigma, after)
            else:
                latents = ddpm_step(latents, expected, sigma, after, stored[first + i].to(latents))
            if self.after_step is not None:
                latents = self.after_step(latents, first + i + 1)
        return latents


def first_step(inversion: Inversion, sigmas: Tensor) -> int:
    """Which step of the inversion these sigmas start at. Raises ValueError for another schedule."""
    own, first = inversion.sigmas, inversion.steps + 1 - len(sigmas)
    if first < 0 or not torch.allclose(own[first:], sigmas.cpu(), rtol=1e-4):
        raise ValueError(
            f"sigmas has {len(sigmas)} noise levels from {float(sigmas[0]):.4g} to {float(sigmas[-1]):.4g}, "
            f"and the inversion walked {len(own)} from {float(own[0]):.4g} to {float(own[-1]):.4g}. Use the "
            "sigmas that come with the inversion: stored noise fits no other steps."
        )
    return first
