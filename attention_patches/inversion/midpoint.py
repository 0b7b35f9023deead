"""Steps of second order, up and down the same way.

Wang, Pu, Qi, Guo, Ma, Huang, Chen, Li, Shan, "Taming Rectified Flow for Inversion and Editing" (RF-Solver),
ICML 2025, section 3.2. Their Taylor step, v + (dt / 2) (v_mid - v) / (dt / 2) with v_mid half a step further
on, is the explicit midpoint rule x + dt v_mid. It is written for flows and holds for every noise path, as the
direction (x - D) / sigma is the same in all. It asks the model twice for a step; errors of the way up and
back fall with the square of the steps.

The host gives the expected picture D, from which no direction follows at sigma 0. There we ask at a small
part of the step's noise level (`NEAREST`), under whose name the model sees the picture itself.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

Expect = Callable[[Tensor, float], Tensor]
"""(latents (B, C, h, w), sigma) -> the picture that the model expects there."""

NEAREST = 0.05


def midpoint_step(latents: Tensor, sigma: float, after: float, expect: Expect) -> tuple[Tensor, Tensor]:
    """(the latents at sigma `after`, below or above sigma; the picture expected half-way)."""
    there = max(sigma, NEAREST * after)
    half = (after - sigma) / 2
    halfway = latents + half * (latents - expect(latents, there)) / there
    expected = expect(halfway, sigma + half)
    return latents + 2 * half * (halfway - expected) / (sigma + half), expected


def midpoint_states(
    picture: Tensor, sigmas: list[float], expect: Expect, watch: Callable[[int, Tensor, Tensor], None]
) -> Tensor:
    """States (S + 1, B, C, h, w) on the CPU for `sigmas` that fall to 0; found from the picture upwards."""
    state, states = picture, [picture.cpu()]
    for done, (noisier, cleaner) in enumerate(reversed(list(pairwise(sigmas)))):
        state, expected = midpoint_step(state, cleaner, noisier, expect)
        states.append(state.cpu())
        watch(done, expected, state)
    return torch.stack(states[::-1])
