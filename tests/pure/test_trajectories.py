"""Walks from a picture to noise and back, against the papers' formulas in float64 with plain loops."""

import math

import pytest
import torch
from attention_control.attention_patches.inversion.inversion import Inversion, ModelIdentity, psnr
from attention_control.attention_patches.inversion.trajectories import (
    ddim_states,
    edit_friendly_states,
    walk_back,
)

MODEL = ModelIdentity("toy", (1.0,))
STEPS = 12
SIGMAS = [*(14.0 * 0.6**i for i in range(STEPS)), 0.0]
PICTURE = torch.randn(2, 4, 5, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def kept(sigma):
    """The papers' cumulative product of alphas, in their variance preserving scale."""
    return 1 / (1 + sigma**2)


def epsilon(x, alpha):
    """A network: the noise it sees in x, given in the papers' scale; curved, different in every channel."""
    mixing = torch.linspace(-1, 1, 16, dtype=x.dtype).view(4, 4)
    other = torch.einsum("oc,bchw->bohw", mixing, x)
    return torch.tanh(x * (1.1 - alpha) + 0.4 * other) + 0.3 * torch.sin(3 * x)


def expect(latents, sigma):
    """The same network as the host calls it: latents in the scale picture + sigma * noise, a picture out."""
    alpha = kept(sigma)
    return latents - sigma * epsilon(math.sqrt(alpha) * latents, alpha)


def rescale(cleaner, noisier):
    return math.sqrt(kept(cleaner) / kept(noisier))


def ignore(*_):
    """Watch nothing."""


def naive_ddim(picture):
    """States in the papers' scale, the noisiest first: Song et al., with x_tau under the name of t."""
    alphas = [kept(sigma) for sigma in SIGMAS]
    states, x = [picture], picture
    for i in range(STEPS - 1, -1, -1):
        cleaner, noisier = alphas[i + 1], alphas[i]
        e = epsilon(x, noisier)
        predicted = (x - math.sqrt(1 - cleaner) * e) / math.sqrt(cleaner)
        x = math.sqrt(noisier) * predicted + math.sqrt(1 - noisier) * e
        states.insert(0, x)
    return states


def naive_noise_space(picture, fresh):
    """Huberman-Spiegelglas et al., algorithm 1, keeping the last noise: states in their scale, and noise."""
    alphas = [kept(sigma) for sigma in SIGMAS]
    states = [
        math.sqrt(a) * picture + math.sqrt(1 - a) * e for a, e in zip(alphas[:-1], fresh, strict=True)
    ] + [picture]
    noise = []
    for i in range(STEPS):
        now, after = alphas[i], alphas[i + 1]
        e = epsilon(states[i], now)
        predicted = (states[i] - math.sqrt(1 - now) * e) / math.sqrt(now)
        variance = (1 - after) / (1 - now) * (1 - now / after)
        mean = math.sqrt(after) * predicted + math.sqrt(1 - after - variance) * e
        deviation = math.sqrt(variance) if i < STEPS - 1 else 1.0
        noise.append((states[i + 1] - mean) / deviation)
        states[i + 1] = mean + deviation * noise[i]
    return states, noise


def in_host_scale(states):
    return torch.stack([x / math.sqrt(kept(sigma)) for x, sigma in zip(states, SIGMAS, strict=True)])


def fresh_noise(seed=2):
    return torch.randn(
        STEPS, *PICTURE.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


def inverted(method, dtype=torch.float64):
    """An inversion of the picture by the toy network."""
    picture, noise = PICTURE.to(dtype), None
    if method == "ddim":
        states = ddim_states(picture, SIGMAS, expect, rescale, ignore)
    else:
        states, noise = edit_friendly_states(picture, SIGMAS, expect, fresh_noise().to(dtype), ignore)
    return Inversion(method, torch.tensor(SIGMAS, dtype=dtype), states, noise, MODEL)


def test_ddim_is_the_papers():
    """Every state is that of the formulas with alphas."""
    expected = in_host_scale(naive_ddim(PICTURE))
    assert torch.allclose(inverted("ddim").states, expected, rtol=1e-10, atol=1e-10)


def test_edit_friendly_is_the_papers():
    """Every state and every noise is that of algorithm 1, the last noise kept."""
    states, noise = naive_noise_space(PICTURE, fresh_noise())
    found = inverted("edit friendly ddpm")
    assert torch.allclose(found.states, in_host_scale(states), rtol=1e-10, atol=1e-10)
    assert torch.allclose(found.noise, torch.stack(noise), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("first", [0, 1, 7, STEPS - 1, STEPS])
def test_stored_noise_leads_through_every_state(first):
    """A replay in float32 from any step passes all later states, not only the picture."""
    inversion = inverted("edit friendly ddpm", torch.float32)
    passed = {first: inversion.states[first]}

    def keep(latents, done):
        passed[done] = latents
        return latents

    out = walk_back(inversion, first, inversion.states[first], expect, ignore, keep)
    assert list(passed) == list(range(first, STEPS + 1))
    assert all(psnr(latents, inversion.states[i]) > 100 for i, latents in passed.items())
    assert torch.equal(out, passed[STEPS])


def test_ddim_comes_nearer_with_more_steps():
    """The error of the way back falls as the steps get finer."""
    figures = []
    for steps in (10, 40, 160, 640):
        sigmas = [*(10.0 * (0.03 / 10) ** (i / (steps - 1)) for i in range(steps)), 0.0]
        states = ddim_states(PICTURE, sigmas, smooth, rescale, ignore)
        inversion = Inversion("ddim", torch.tensor(sigmas, dtype=torch.float64), states, None, MODEL)
        figures.append(psnr(walk_back(inversion, 0, states[0], smooth, ignore), PICTURE))
    assert figures == sorted(figures)
    assert figures[-1] > figures[0] + 20


def smooth(latents, sigma):
    """What an ideal model expects if all pictures are normally distributed with a deviation of 0.5."""
    return latents * 0.25 / (0.25 + sigma**2)


def test_after_step_goes_on_from_what_it_is_given():
    """What it returns is what the next step starts from; DDIM's steps are counted in the inversion's."""
    inversion, seen = inverted("ddim"), []

    def zero(latents, done):
        seen.append((done, float(latents.abs().sum())))
        return torch.zeros_like(latents)

    walk_back(inversion, 9, inversion.states[9], expect, ignore, zero)
    assert [done for done, _ in seen] == [10, 11, 12]
    assert seen[0][1] > 0
    assert seen[1][1] == seen[2][1] == 0  # the toy network expects nothing of nothing


@pytest.mark.parametrize("method", ["ddim", "edit friendly ddpm"])
def test_every_step_is_watched(method):
    """Each step is told once, with the picture expected there: a progress bar and a preview live on it."""
    seen = []

    def watch(done, expected, latents):
        seen.append(done)
        assert expected.shape == latents.shape == PICTURE.shape

    if method == "ddim":
        ddim_states(PICTURE, SIGMAS, expect, rescale, watch)
    else:
        edit_friendly_states(PICTURE, SIGMAS, expect, fresh_noise(), watch)
    assert seen == list(range(STEPS))
    inversion = inverted(method)
    seen.clear()
    walk_back(inversion, 4, inversion.states[4], expect, watch)
    assert seen == list(range(STEPS - 4))
