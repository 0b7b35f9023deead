"""Inversion: the noisy states that lead a diffusion model to a given picture.

DDIM: Song, Meng, Ermon, "Denoising Diffusion Implicit Models", ICLR 2021, section 4.3.
Edit friendly DDPM: Huberman-Spiegelglas, Kulikov, Michaeli, "An Edit Friendly DDPM Noise Space: Inversion and
Manipulations", CVPR 2024, section 3.

States are those of the host: picture + sigma * noise. The papers' states are the same divided by
sqrt(1 + sigma^2), with sigma^2 = (1 - a) / a for their cumulative product a.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Method = Literal["ddim", "edit friendly ddpm"]


@dataclass(frozen=True)
class ModelIdentity:
    """What tells one model from another: how it is built, and a few of its weights.

    `changes` names what is loaded on top of the weights (LoRA and the like), empty for nothing.
    """

    architecture: str
    weights: tuple[float, ...]
    changes: str = ""

    def same_base(self, other: "ModelIdentity") -> bool:
        """Whether both are one model, stored in whatever precision, with or without changes on top."""
        if self.architecture != other.architecture or len(self.weights) != len(other.weights):
            return False
        size = math.hypot(*self.weights)
        # weights of 8 bits are off by 3 %, of 16 bits by 0.2 %
        return math.dist(self.weights, other.weights) <= 0.05 * size


@dataclass(frozen=True)
class Inversion:
    """Trajectories of B pictures over S steps, as float32 tensors on the CPU.

    `sigmas` (S + 1,) falls to 0. `states` (S + 1, B, C, h, w) are the latents there, the pictures at the end.
    `noise` (S, B, C, h, w), for edit friendly DDPM only, is what a step adds to its mean, as a multiple of
    the step's deviation. The last step has none: there it is the rest that is missing to the picture.
    """

    method: Method
    sigmas: Tensor
    states: Tensor
    noise: Tensor | None
    model: ModelIdentity
    cfg: float = 1.0

    @property
    def steps(self) -> int:
        return len(self.sigmas) - 1

    @property
    def images(self) -> int:
        return int(self.states.shape[1])

    @property
    def picture(self) -> Tensor:
        """The inverted latents (B, C, h, w)."""
        return self.states[-1]

    def at(self, sigma: float) -> Tensor:
        """The state (B, C, h, w) at any sigma; beyond the noisiest one its noise goes on in a straight line.

        Between two steps DDIM's states are interpolated; edit friendly states have noise of their own each,
        so there the noise of the nearest step is taken.
        """
        sigmas = self.sigmas.tolist()
        if sigma <= 0:
            return self.picture
        after = next((i for i, s in enumerate(sigmas) if s <= sigma), len(sigmas) - 1)
        before = max(after - 1, 0)
        part = (sigmas[before] - sigma) / max(sigmas[before] - sigmas[after], 1e-12) if after else 0.0
        if sigma > sigmas[0]:
            return self._with_noise_of(0, sigma)
        if self.noise is None or part in (0.0, 1.0):
            return torch.lerp(self.states[before], self.states[after], part)
        nearest = before if part < 0.5 or after == self.steps else after
        return self._with_noise_of(nearest, sigma)

    def _with_noise_of(self, step: int, sigma: float) -> Tensor:
        return self.picture + (self.states[step] - self.picture) * (sigma / float(self.sigmas[step]))

    def first_step(self, sigma: float) -> int:
        """The first step that starts at this sigma or below it."""
        return next(i for i, s in enumerate(self.sigmas.tolist()) if s <= sigma * (1 + 1e-5))


def ancestral(sigma: float, after: float) -> tuple[float, float]:
    """(down, up): a DDPM step goes to sigma `down` without noise and adds noise of deviation `up`.

    DDIM with eta = 1 in the host's scale: up = after sqrt(sigma^2 - after^2) / sigma, down = after^2 / sigma.
    """
    up = after * (max(sigma**2 - after**2, 0.0)) ** 0.5 / sigma
    return after**2 / sigma, up


def ddim_step(latents: Tensor, denoised: Tensor, sigma: float, after: float) -> Tensor:
    """The latents at sigma `after`, along the straight line through what the model expects."""
    return denoised + (latents - denoised) * (after / sigma)


def ddpm_mean(latents: Tensor, denoised: Tensor, sigma: float, after: float) -> Tensor:
    """The mean of the next state of a DDPM step."""
    return ddim_step(latents, denoised, sigma, ancestral(sigma, after)[0])


def ddpm_step(latents: Tensor, denoised: Tensor, sigma: float, after: float, noise: Tensor) -> Tensor:
    """The next state with the stored `noise` of this step; on the last step it is added as it is."""
    up = ancestral(sigma, after)[1] if after > 0 else 1.0
    return ddpm_mean(latents, denoised, sigma, after) + up * noise


def ddpm_noise(latents: Tensor, denoised: Tensor, sigma: float, after: float, next_state: Tensor) -> Tensor:
    """The noise with which `ddpm_step` leads to `next_state`."""
    up = ancestral(sigma, after)[1] if after > 0 else 1.0
    return (next_state - ddpm_mean(latents, denoised, sigma, after)) / up


def psnr(result: Tensor, truth: Tensor) -> float:
    """Peak signal-to-noise ratio in dB over all values; the peak is the range of `truth`'s values."""
    error = (result.double() - truth.double()).square().mean().clamp(min=1e-30)
    return float(10 * torch.log10((truth.max() - truth.min()).double() ** 2 / error))
