"""An inversion: the noisy states that lead a diffusion model to a given picture, as a value.

States are those of the host, see `noise_path.py`. `trajectories.py` finds them.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import Tensor

from ..numerics.noise_path import NoisePath, kept, noise_in, noisy

InversionMethod = Literal["ddim", "edit friendly ddpm", "rf-solver"]


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


@dataclass(frozen=True, eq=False)  # tensors have no single answer to ==
class Inversion:
    """Trajectories of B pictures over S steps, as float32 tensors on the CPU.

    `sigmas` (S + 1,) falls to 0. `states` (S + 1, B, C, h, w) are the latents there, the pictures at the end.
    `noise` (S, B, C, h, w), for edit friendly DDPM only, is what a step adds to its mean, as a multiple of
    the step's deviation. The last step has none: there it is the rest that is missing to the picture.
    `prompt` is a digest of the text that it was made with. `path` says what states are, see `noise_path.py`.
    Raises ValueError for parts that do not fit.
    """

    method: InversionMethod
    sigmas: Tensor
    states: Tensor
    noise: Tensor | None
    model: ModelIdentity
    cfg: float = 1.0
    prompt: str = ""
    path: NoisePath = "variance exploding"

    def __post_init__(self) -> None:
        check_sigmas(self.sigmas)
        steps, states = len(self.sigmas) - 1, tuple(self.states.shape)
        noise = None if self.noise is None else tuple(self.noise.shape)
        wanted = (steps, *states[1:]) if self.method == "edit friendly ddpm" else None
        fit = len(states) == 5 and states[0] == steps + 1 and noise == wanted
        if not fit or self.method not in get_args(InversionMethod):
            raise ValueError(f"{self.method} inversion of {steps} steps with states {states}, noise {noise}")

    @property
    def steps(self) -> int:
        return len(self.sigmas) - 1

    @property
    def images(self) -> int:
        return int(self.states.shape[1])

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in cells."""
        return self.states.shape[-2], self.states.shape[-1]

    @property
    def picture(self) -> Tensor:
        """The inverted latents (B, C, h, w)."""
        return self.states[-1]

    def levels(self, first: int = 0) -> Tensor:
        """The noise levels from a step on, for a sampler, which may write into what it is given."""
        return self.sigmas[first:].clone()

    def beginning(self, step: int = 0) -> Tensor:
        """The state (B, C, h, w) before a step as a sampler is given it that adds no noise: the host scales
        what it is given as it scales a picture."""
        return self.states[step] / kept(self.path, float(self.sigmas[step]))

    def at(self, sigma: float) -> Tensor:
        """The state (B, C, h, w) at any sigma; beyond the noisiest one its noise goes on in a straight line.

        Between two steps the states of a path are interpolated; edit friendly states have noise of their own
        each, so there the noise of the nearest step is taken.
        """
        sigmas = self.sigmas.tolist()
        if sigma <= 0:
            return self.picture
        after = next((i for i, s in enumerate(sigmas) if s <= sigma), len(sigmas) - 1)
        before = max(after - 1, 0)
        part = (sigmas[before] - sigma) / max(sigmas[before] - sigmas[after], 1e-12) if after else 0.0
        if sigma > sigmas[0]:
            return self.with_noise_of(0, sigma)
        if self.noise is None or part in (0.0, 1.0):
            return torch.lerp(self.states[before], self.states[after], part)
        nearest = before if part < 0.5 or after == self.steps else after
        return self.with_noise_of(nearest, sigma)

    def with_noise_of(self, step: int, sigma: float) -> Tensor:
        """The pictures (B, C, h, w) at any sigma with the noise of the state before a step: there a run is
        that began at this state and was told the pictures ever since."""
        noise = noise_in(self.path, self.states[step], self.picture, float(self.sigmas[step]))
        return noisy(self.path, self.picture, noise, sigma)

    def first_step(self, sigma: float) -> int:
        """The first step that starts at this sigma or below it."""
        return next(i for i, s in enumerate(self.sigmas.tolist()) if s <= sigma * (1 + 1e-5))


def check_sigmas(sigmas: Tensor) -> None:
    """Raises ValueError, saying what to do, unless `sigmas` (S + 1,) falls to 0 at every step, S >= 1."""
    levels = sigmas.flatten().tolist()
    if sigmas.ndim != 1 or len(levels) < 2:
        problem = f"has {len(levels)} noise levels, and one step needs two: give a schedule of more steps"
    elif not all(math.isfinite(level) for level in levels):
        problem = "has a noise level that is no number: choose another scheduler"
    elif levels[0] < levels[-1]:
        problem = (
            f"rises from {levels[0]:.4g} to {levels[-1]:.4g}: connect it without flipping, the inversion "
            "walks it backwards by itself"
        )
    elif levels[-1] != 0:
        problem = (
            f"ends at {levels[-1]:.4g}, and an inversion begins at the picture, which is 0: connect the "
            "whole schedule, or the low part of a split one"
        )
    elif twice := [b for a, b in pairwise(levels) if a <= b]:
        problem = f"does not fall before {twice[0]:.4g}: choose fewer steps or another scheduler"
    else:
        return
    raise ValueError(f"sigmas {problem}")


def psnr(result: Tensor, truth: Tensor) -> float:
    """Peak signal-to-noise ratio in dB over all values; the peak is the range of `truth`'s values."""
    peak = (truth.max() - truth.min()).double().clamp(min=1e-6)
    error = (result.double() - truth.double()).square().mean().clamp(min=1e-30)
    return float(10 * torch.log10(peak**2 / error))
