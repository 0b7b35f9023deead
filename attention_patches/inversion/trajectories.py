"""From a picture to noise, and back: the steps and walks of inversion.

DDIM: Song, Meng, Ermon, "Denoising Diffusion Implicit Models", ICLR 2021, section 4.3.
Edit friendly DDPM: Huberman-Spiegelglas, Kulikov, Michaeli, "An Edit Friendly DDPM Noise Space: Inversion and
Manipulations", CVPR 2024, section 3.

States are those of the host: picture + sigma * noise. The papers' states are the same divided by
sqrt(1 + sigma^2), with sigma^2 = (1 - a) / a for their cumulative product a.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from .inversion import Inversion

Expect = Callable[[Tensor, float], Tensor]
"""(latents (B, C, h, w), sigma) -> the picture that the model expects there."""

Watch = Callable[[int, Tensor, Tensor], None]
"""(steps done before this one, the expected picture, the latents) at each step."""

AfterStep = Callable[[Tensor, int], Tensor]
"""(latents (B, C, h, w) after a step, how many steps of the inversion are done) -> latents to go on with."""


def ancestral(sigma: float, after: float) -> tuple[float, float]:
    """(down, up): a DDPM step goes to sigma `down` without noise and adds noise of deviation `up`.

    DDIM with eta = 1 in the host's scale: up = after sqrt(sigma^2 - after^2) / sigma, down = after^2 / sigma.
    """
    up = after * (max(sigma**2 - after**2, 0.0)) ** 0.5 / sigma
    return after**2 / sigma, up


def ddim_step(latents: Tensor, expected: Tensor, sigma: float, after: float) -> Tensor:
    """The latents at sigma `after`, along the straight line through the expected picture."""
    return expected + (latents - expected) * (after / sigma)


def ddpm_mean(latents: Tensor, expected: Tensor, sigma: float, after: float) -> Tensor:
    """The mean of the next state of a DDPM step."""
    return ddim_step(latents, expected, sigma, ancestral(sigma, after)[0])


def ddpm_step(latents: Tensor, expected: Tensor, sigma: float, after: float, noise: Tensor) -> Tensor:
    """The next state with the stored `noise` of this step; on the last step it is added as it is."""
    up = ancestral(sigma, after)[1] if after > 0 else 1.0
    return ddpm_mean(latents, expected, sigma, after) + up * noise


def ddpm_noise(latents: Tensor, expected: Tensor, sigma: float, after: float, next_state: Tensor) -> Tensor:
    """The noise with which `ddpm_step` leads to `next_state`."""
    up = ancestral(sigma, after)[1] if after > 0 else 1.0
    return (next_state - ddpm_mean(latents, expected, sigma, after)) / up


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
    picture: Tensor, sigmas: list[float], expect: Expect, fresh: Tensor, watch: Watch
) -> tuple[Tensor, Tensor]:
    """States (S + 1, B, C, h, w) and noise (S, B, C, h, w) on the CPU.

    Each state has noise of its own, `fresh` (S, B, C, h, w); then the steps between them are explained.
    """
    levels = torch.tensor(sigmas[:-1], dtype=fresh.dtype).view(-1, 1, 1, 1, 1)
    states = torch.cat([picture.cpu() + levels * fresh, picture.cpu()[None]])
    noise = torch.empty_like(fresh)
    state = states[0].to(picture)
    for done, (sigma, after) in enumerate(pairwise(sigmas)):
        expected = expect(state, sigma)
        found = ddpm_noise(state, expected, sigma, after, states[done + 1].to(picture))
        # the state that a replay will have, rounding included, so that errors do not add up
        state = ddpm_step(state, expected, sigma, after, found)
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
        expected = expect(latents, sigma)
        watch(i - first, expected, latents)
        if inversion.noise is None:
            latents = ddim_step(latents, expected, sigma, after)
        else:
            latents = ddpm_step(latents, expected, sigma, after, inversion.noise[i].to(latents))
        if after_step is not None:
            latents = after_step(latents, i + 1)
    return latents
