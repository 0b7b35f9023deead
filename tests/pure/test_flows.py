"""Walks along a rectified flow, against the formulas in float64 with plain loops."""

from itertools import pairwise

import pytest
import torch
from attention_control.attention_patches.inversion.inversion import Inversion, ModelIdentity
from attention_control.attention_patches.inversion.midpoint import midpoint_states, midpoint_step
from attention_control.attention_patches.inversion.trajectories import (
    ancestral,
    ddim_states,
    edit_friendly_states,
    walk_back,
)

MODEL = ModelIdentity("toy", (1.0,))
PICTURE = torch.randn(2, 4, 5, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
FLOW = "rectified flow"


def velocity(x, sigma):
    """A network, curved in x and in time."""
    return torch.tanh(1.3 * x - sigma) + 0.5 * torch.sin(2 * x.roll(1, 1)) * (1 - sigma)


def expect(x, sigma):
    """The same as the host calls it: the picture that is expected."""
    return x - sigma * velocity(x, sigma)


def levels(steps):
    """A shifted schedule, as the host's."""
    return [3 * t / (1 + 2 * t) for t in torch.linspace(1, 0, steps + 1, dtype=torch.float64).tolist()]


def ignore(*_):
    """Watch nothing."""


def inverted(method, steps=8, picture=PICTURE, top=1.0):
    """An inversion of the picture by the toy network."""
    sigmas, noise = [top * sigma for sigma in levels(steps)], None
    if method == "ddim":
        states = ddim_states(picture, sigmas, expect, lambda *_: 1.0, ignore)
    elif method == "rf-solver":
        states = midpoint_states(picture, sigmas, expect, ignore)
    else:
        fresh = torch.randn(
            steps, *picture.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64
        )
        states, noise = edit_friendly_states(picture, sigmas, expect, fresh, ignore, FLOW)
    given = torch.tensor(sigmas, dtype=torch.float64)
    return Inversion(method, given, states, noise, MODEL, path=FLOW)


def back(inversion):
    """The largest error of the way there and back."""
    found = walk_back(inversion, 0, inversion.states[0], expect, ignore)
    return float((found - inversion.picture).abs().max())


def test_ddim_is_euler_along_the_flow():
    """Up with the direction at the cleaner state under the name of the noisier level, down with its own."""
    sigmas, x, naive = levels(8), PICTURE, [PICTURE]
    for cleaner, noisier in zip(sigmas[:0:-1], sigmas[-2::-1], strict=True):
        x = x + (noisier - cleaner) * velocity(x, noisier)
        naive.append(x)
    found = inverted("ddim")
    assert torch.allclose(found.states, torch.stack(naive[::-1]), rtol=1e-10, atol=1e-10)
    for sigma, after in pairwise(sigmas):
        x = x + (after - sigma) * velocity(x, sigma)
    assert torch.allclose(walk_back(found, 0, found.states[0], expect, ignore), x, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("method", ["ddim", "rf-solver", "edit friendly ddpm"])
def test_a_step_is_watched_where_it_begins(method):
    """With the latents of its own noise level, whichever way it goes on."""
    found, watched = inverted(method), []
    ends = [found.states[0]]

    def watch(done, expected, latents):
        watched.append(latents)

    def keep(latents, done):
        ends.append(latents)
        return latents

    walk_back(found, 0, found.states[0], expect, watch, keep)
    assert all(torch.equal(*pair) for pair in zip(watched, ends[:-1], strict=True))


def test_rf_solver_is_the_papers_taylor_step():
    """v + (dt / 2) times the slope of v over half a step."""
    for sigma, after in ((0.8, 0.6), (0.3, 0.45)):
        dt, v = after - sigma, velocity(PICTURE, sigma)
        there = velocity(PICTURE + dt / 2 * v, sigma + dt / 2)
        expected = PICTURE + dt * v + dt**2 / 2 * (there - v) / (dt / 2)
        assert torch.allclose(midpoint_step(PICTURE, sigma, after, expect)[0], expected, atol=1e-12)


def test_rf_solver_comes_nearer_for_the_same_calls():
    """Half as many steps of two calls; its error falls with the square of the steps, Euler's with them."""
    euler = [back(inverted("ddim", steps)) for steps in (32, 64, 128)]
    second = [back(inverted("rf-solver", steps)) for steps in (16, 32, 64)]
    assert all(b < a / 3 for a, b in zip(euler, second, strict=True))
    assert 1.7 < euler[0] / euler[1] < 2.4 and 1.7 < euler[1] / euler[2] < 2.4
    assert second[1] / second[2] > 3.3


def test_edit_friendly_is_exact_and_has_noise_of_its_own():
    """States are (1 - s) p + s n, each with its own n, and the stored noise leads back."""
    found = inverted("edit friendly ddpm", 5)
    assert back(found) < 1e-12
    noise = [
        (state - (1 - sigma) * PICTURE) / sigma
        for state, sigma in zip(found.states[:-1], levels(5)[:-1], strict=True)
    ]
    drawn = torch.randn(5, *PICTURE.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert torch.allclose(torch.stack(noise), drawn, atol=1e-9)


def test_edit_friendly_is_that_of_the_other_scale():
    """y = x / (1 - s) at the level s / (1 - s): the same noise in states picture + sigma * noise."""
    found = inverted("edit friendly ddpm", 6, top=0.99)
    sigmas = found.sigmas.tolist()
    stretched = [sigma / (1 - sigma) for sigma in sigmas]
    fresh = torch.randn(6, *PICTURE.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

    def other(y, level):
        sigma = level / (1 + level)
        return expect((1 - sigma) * y, sigma)

    states, noise = edit_friendly_states(PICTURE, stretched, other, fresh, ignore)
    assert torch.allclose(found.noise, noise, rtol=1e-6, atol=1e-8)
    kept = 1 - found.sigmas.view(-1, 1, 1, 1, 1)
    assert torch.allclose(found.states, kept * states, rtol=1e-8, atol=1e-8)
    assert ancestral(1.0, 0.5, FLOW) == (0.0, 0.5), "from pure noise a step keeps nothing"


@pytest.mark.parametrize("sigma", [1.0, 0.97, 0.5, 0.02, 0.0])
def test_states_at_any_level(sigma):
    """On the path between the steps; edit friendly with the noise of one step; beyond, the last one's."""
    for method in ("ddim", "rf-solver", "edit friendly ddpm"):
        found = inverted(method, 8, top=0.9)
        state = found.at(sigma)
        if method == "edit friendly ddpm" and sigma > 0:
            noises = [
                (one - (1 - s) * PICTURE) / s
                for one, s in zip(found.states[:-1], found.sigmas.tolist()[:-1], strict=True)
            ]
            own = (state - (1 - sigma) * PICTURE) / sigma
            assert any(torch.allclose(own, noise, atol=1e-9) for noise in noises)
        if sigma > 0.9:
            noise = (found.states[0] - (1 - 0.9) * PICTURE) / 0.9
            assert torch.allclose(state, (1 - sigma) * PICTURE + sigma * noise)
    assert torch.equal(inverted("ddim").at(0.0), PICTURE)


def test_the_beginning_is_what_the_host_scales_to_the_state():
    """(1 - s) times what a sampler is given that adds no noise."""
    found = inverted("rf-solver", top=0.9999)
    assert torch.allclose(found.beginning() * (1 - found.sigmas[0]), found.states[0])
    assert torch.equal(found.beginning(8), PICTURE)
