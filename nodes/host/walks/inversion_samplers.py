"""Samplers that walk a picture's trajectory: from the picture to noise, and back along stored noise."""

from collections.abc import Sequence
from typing import Any, ClassVar

import comfy.sample
import comfy.samplers
import torch
from torch import Tensor

from ....attention_patches.inversion.inversion import Inversion, InversionMethod
from ....attention_patches.inversion.midpoint import Expect, midpoint_states
from ....attention_patches.inversion.trajectories import (
    AfterStep,
    Watch,
    ddim_states,
    edit_friendly_states,
    walk_back,
)
from ....attention_patches.numerics.finite import all_finite
from ....attention_patches.numerics.noise_path import NoisePath
from ..frames import as_video, of_one_frame
from ..numbers import HALF_PRECISION
from .noise_masks import changing_mask, left_out


class Inverter(comfy.samplers.Sampler):
    """Finds states and noise of the latents it is given. One object serves one run and keeps the result.

    `images` numbers the pictures as a LATENT's batch_index does: the noise of each follows from `seed` and
    its number, as in the host.
    """

    def __init__(
        self, method: InversionMethod, path: NoisePath, seed: int, images: Sequence[int] | None = None
    ) -> None:
        self.method = method
        self.path = path
        self.seed = seed
        self.images = images
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
        levels, picture = sigmas.tolist(), of_one_frame(latent_image)
        expect = _expect(model, extra_args, latent_image)
        watch = _watch(callback, len(levels) - 1, latent_image)
        if self.method == "ddim":
            scale = model.inner_model.model_sampling.calculate_input

            def rescale(cleaner: float, noisier: float) -> float:
                of_input = [scale(torch.tensor([sigma]), torch.ones(1)) for sigma in (cleaner, noisier)]
                return float(of_input[0] / of_input[1])

            self.states = ddim_states(picture, levels, expect, rescale, watch)
        elif self.method == "rf-solver":
            self.states = midpoint_states(picture, levels, expect, watch)
        else:
            fresh = self._fresh(picture, len(levels) - 1)
            found = edit_friendly_states(picture, levels, expect, fresh, watch, self.path)
            self.states, self.noise = found
        return as_video(self.states[0].to(latent_image), latent_image)

    def _fresh(self, picture: Tensor, steps: int) -> Tensor:
        """Noise (S, B, C, h, w) for the states of all steps."""
        draw = torch.Generator().manual_seed(self.seed)
        all_steps = torch.empty(len(picture), steps * picture.shape[1], *picture.shape[2:])
        # always numbered, so that a picture of a batch has the noise that it has alone
        numbers = list(range(len(picture)) if self.images is None else self.images)
        noise: Tensor = comfy.sample.prepare_noise_inner(all_steps, draw, numbers)
        return noise.unflatten(1, (steps, -1)).movedim(1, 0).contiguous()


class Replay(comfy.samplers.Sampler):
    """Samples from a stored state with the stored noise; what it is given as noise or latent is not used.

    The schedule of the run must be the inversion's own, whole or from one of its steps on. One inverted
    picture serves for any number of latents. What a noise mask leaves out stays the inverted picture.
    """

    draws_nothing: ClassVar[bool] = True  # all images have the noise of one picture, if there is one

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
        first, like = first_step(self.inversion, sigmas), of_one_frame(noise)
        start = self.inversion.states[first]
        if self.inversion.images == 1:
            start = start.expand(len(noise), -1, -1, -1)
        start = start.to(noise, copy=True).contiguous()  # guidance shifts latents in place
        if start.shape != like.shape:
            raise ValueError(
                f"latent holds {tuple(like.shape)} (images, channels, height, width), and the inversion "
                f"{tuple(start.shape)}. Connect the LATENT that comes with the inversion."
            )
        expect, watch = _expect(model, extra_args, noise), _watch(callback, len(sigmas) - 1, noise)
        after_step = self.after_step
        if denoise_mask is not None:
            mask_at = changing_mask(denoise_mask, model, sigmas, extra_args)
            after_step = left_out(self.inversion, mask_at, after_step)
        found = walk_back(self.inversion, first, start, expect, watch, after_step)
        return as_video(found, noise)


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


def _expect(model: Any, extra_args: dict[str, Any], like: Tensor) -> Expect:
    def expect(latents: Tensor, sigma: float) -> Tensor:
        levels = latents.new_full((len(latents),), sigma)
        out: Tensor = of_one_frame(model(as_video(latents, like), levels, **extra_args))
        if not all_finite(out):
            raise ValueError(
                f"model: what it gives is not a number (NaN), first at sigma {sigma:.4g}. {HALF_PRECISION}"
            )
        return out

    return expect


def _watch(callback: Any, steps: int, like: Tensor) -> Watch:
    def watch(done: int, expected: Tensor, latents: Tensor) -> None:
        if callback is not None:
            callback(done, as_video(expected, like), as_video(latents, like), steps)

    return watch
