"""From a picture to noise, and back: the steps and walks of inversion.

DDIM: Song, Meng, Ermon, "Denoising Diffusion Implicit Models", ICLR 2021, section 4.3.
Edit friendly DDPM: Huberman-Spiegelglas, Kulikov, Michaeli, "An Edit Friendly DDPM Noise Space: Inversion and
Manipulations", CVPR 2024, section 3.
There the authors set the noise of the last step to 0. Here it is what is missing to the picture, so that this
comes back exactly; under another prompt it is added as well.
RF-Solver: Wang et al., "Taming Rectified Flow for Inversion and Editing", ICML 2025, see `midpoint.py`.

States are those of the host, see `noise_path.py`. The papers' states are those of the first kind divided by
sqrt(1 + sigma^2), with sigma^2 = (1 - a) / a for their cumulative product a. DDIM's steps are Euler's along a
flow. For edit friendly DDPM a state of a flow is one of the first kind times 1 - sigma, at the noise level
sigma / (1 - sigma); the formulas have no infinity at sigma 1, where a step forgets the state it comes from.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from ..numerics.noise_path import NoisePath, kept, noisy
from .inversion import Inversion
from .midpoint import Expect, midpoint_step

Watch = Callable[[int, Tensor, Tensor], None]
"""(steps done before this one, the expected picture, the latents) at each step."""

AfterStep = Callable[[Tensor, int], Tensor]
"""(latents (B, C, h, w) after a step, how many steps of the inversion are done) -> latents to go on with."""


def ancestral(sigma: float, after: float, path: NoisePath) -> tuple[float, float]:
    """(down, up): a DDPM step goes to sigma `down` without noise and adds noise of deviation `up`.

    DDIM with eta = 1 in the host's scale. With r the ratio of `after` to sigma, each divided by the factor of
    the picture there: down = r after, up = after sqrt(1 - r^2).
    """
    ratio = after * kept(path, sigma) / (sigma * kept(path, after))
    return ratio * after, after * max(1.0 - ratio**2, 0.0) ** 0.5


def ddim_step(latents: Tensor, expected: Tensor, sigma: float, after: float) -> Tensor:
    """The latents at sigma `after`, along the straight line through the expected picture."""
    return expected + (latents - expected) * (after / sigma)


def ddpm_step(
    latents: Tensor, expected: Tensor, sigma: float, after: float, noise: Tensor, path: NoisePath
) -> Tensor:
    """The next state with the stored `noise` of this step; on the last step it is added as it is."""
    mean, deviation = _mean_and_deviation(latents, expected, sigma, after, path)
    return mean + deviation * noise


def ddpm_noise(
    latents: Tensor, expected: Tensor, sigma: float, after: float, next_state: Tensor, path: NoisePath
) -> Tensor:
    """The noise with which `ddpm_step` leads to `next_state`."""
    mean, deviation = _mean_and_deviation(latents, expected, sigma, after, path)
    return (next_state - mean) / deviation


def _mean_and_deviation(
    latents: Tensor, expected: Tensor, sigma: float, after: float, path: NoisePath
) -> tuple[Tensor, float]:
    """Of the next state of a DDPM step; the last one's deviation is 1, as its noise is added as it is."""
    down, up = ancestral(sigma, after, path)
    mean = kept(path, after) * expected + (latents - kept(path, sigma) * expected) * (down / sigma)
    return mean, up if after > 0 else 1.0


def ddim_states(
    picture: Tensor,
    sigmas: list[float],
    expect: Expect,
    rescale: Callable[[float, float], float],
    watch: Watch,
) -> Tensor:
    """States (S + 1, B, C, h, w) on the CPU for `sigmas` that fall to 0; found from the picture upwards.

    The model looks at the cleaner state under the name of the noisier sigma: `rescale(cleaner, noisier)` is
    the factor that makes its input there that of the cleaner state.
    """
    state, states = picture, [picture.cpu()]
    for done, (noisier, cleaner) in enumerate(reversed(list(pairwise(sigmas)))):
        seen = state * rescale(cleaner, noisier)
        expected = expect(seen, noisier)
        state = state + (noisier - cleaner) * (seen - expected) / noisier
        states.append(state.cpu())
        watch(done, expected, state)
    return torch.stack(states[::-1])


def edit_friendly_states(
    picture: Tensor,
    sigmas: list[float],
    expect: Expect,
    fresh: Tensor,
    watch: Watch,
    path: NoisePath = "variance exploding",
) -> tuple[Tensor, Tensor]:
    """States (S + 1, B, C, h, w) and noise (S, B, C, h, w) on the CPU.

    Each state has noise of its own, `fresh` (S, B, C, h, w); then the steps between them are explained.
    """
    own = picture.cpu()
    noised = [noisy(path, own, noise, sigma) for noise, sigma in zip(fresh, sigmas[:-1], strict=True)]
    states = torch.stack([*noised, own])
    noise = torch.empty_like(fresh)
    state = states[0].to(picture)
    for done, (sigma, after) in enumerate(pairwise(sigmas)):
        expected = expect(state, sigma)
        found = ddpm_noise(state, expected, sigma, after, states[done + 1].to(picture), path)
        # the state that a replay will have, rounding included, so that errors do not add up
        state = ddpm_step(state, expected, sigma, after, found, path)
        noise[done], states[done + 1] = found.cpu(), state.cpu()
        watch(done, expected, state)
    states[-1] = picture.cpu()
    return states, noise


def walk_back(
    inversion: Inversion,
    first: int,
    start: Tensor,
    expect: Expect,
    watch: Watch,
    after_step: AfterStep | None = None,
) -> Tensor:
    """The picture to which the steps from `first` on lead from `start`, with the stored noise if any."""
    latents, levels = start, inversion.sigmas.tolist()
    for i in range(first, inversion.steps):
        sigma, after = levels[i], levels[i + 1]
        if inversion.method == "rf-solver":
            following, expected = midpoint_step(latents, sigma, after, expect)
        else:
            expected = expect(latents, sigma)
            if inversion.noise is None:
                following = ddim_step(latents, expected, sigma, after)
            else:
                noise = inversion.noise[i].to(latents)
                following = ddpm_step(latents, expected, sigma, after, noise, inversion.path)
        watch(i - first, expected, latents)
        latents = following
        if after_step is not None:
            latents = after_step(latents, i + 1)
    return latents
