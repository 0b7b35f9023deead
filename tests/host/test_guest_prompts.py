"""Prompts for a part of the picture, as guests of a run see them that are of another size."""

from dataclasses import dataclass, field
from typing import Any

import comfy.hooks
import comfy.sample
import comfy.samplers
import pytest
import torch
from attention_control.attention_patches.patch import Patch
from attention_control.nodes.host.guest_prompts import scaled_area
from attention_control.nodes.host.install import install
from nodes import (
    ConditioningSetArea,
    ConditioningSetAreaPercentage,
    ConditioningSetMask,
    ControlNetApplyAdvanced,
)
from torch import Tensor

from .methods import model
from .test_cross_image import WHOLE, output, transfer
from .tiny import assert_same_image, conditioning
from .tiny.extras import tiny_controlnet, tiny_lora
from .transfers import SIZE, inverted, prompt, sampled

SHAPE = "sd15"
SIGMAS = torch.tensor([5.0, 0.0])
OTHER, TWICE = (9, 7), (12, 20)


@dataclass(frozen=True, kw_only=True)
class Visited(Patch):
    """Lets a guest through before its own calls at this noise level or below, and after them."""

    guest: Tensor
    below: float = 99.0
    seen: list[Tensor] = field(default_factory=list)

    def denoise(self, latents: Tensor, model: Any) -> Tensor:
        if model.sigma > self.below:
            return model(latents)
        self.seen.append(model.guests(self.guest, self))
        out = model(latents)
        self.seen.append(model.guests(self.guest, self))
        return out


def run(patcher, size, prompts, sampler="euler", sigmas=SIGMAS):
    """One step at CFG 3 from ones of this size."""
    start = torch.zeros(1, 4, *size)
    if isinstance(sampler, str):
        sampler = comfy.samplers.sampler_object(sampler)
    with torch.inference_mode():
        return comfy.sample.sample_custom(
            patcher, torch.ones_like(start), 3.0, sampler, sigmas, *prompts, start, disable_pbar=True
        )


def as_guest(patcher, guest, prompts):
    """What the host expects of `guest` inside a run of SIZE; and that run's own picture."""
    visited = Visited(guest=guest)
    picture = run(install(patcher, visited), SIZE, prompts)
    before, after = visited.seen
    assert torch.equal(before, after)
    return before, picture


def by_itself(patcher, guest, prompts):
    """What the host expects of `guest` in a run of its own size."""
    seen = []

    def once(denoise, x, sigmas, extra_args=None, **_):
        seen.append(denoise(guest, sigmas[:1], **extra_args))
        return x

    run(patcher, guest.shape[-2:], prompts, comfy.samplers.KSAMPLER(once))
    return seen[0]


def with_mask(bounds):
    def part(added, size):
        mask = torch.zeros(1, 48, 80)
        mask[:, 8:, 40:] = 1.0
        mask[:, 20:30, 60:] = 0.3
        return ConditioningSetMask().append(added, mask, bounds, 0.8)[0]

    return part


def with_area(added, size):
    """The right half but for the topmost sixth, in pixels of a run of this size."""
    height, width = size
    across, top = 8 * width // 2, 8 * height // 6
    return ConditioningSetArea().append(added, across, 8 * height - top, across, top, 0.7)[0]


def with_percent(added, size):
    return ConditioningSetAreaPercentage().append(added, 0.5, 0.7, 0.5, 0.3, 1.0)[0]


PARTS = {
    "mask": with_mask("default"),
    "mask bounds": with_mask("mask bounds"),
    "area": with_area,
    "area in percent": with_percent,
}


def prompts(patcher, part, size):
    """A positive prompt, one more for a part of the picture, and a negative one."""
    added = PARTS[part](conditioning(patcher, seed=7), size)
    return conditioning(patcher, seed=1) + added, conditioning(patcher, seed=2)


def latents(size):
    return 3 * torch.randn(1, 4, *size, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("part", PARTS)
def test_a_guest_is_seen_as_in_a_run_of_its_own_size(shape, part):
    """Masks and areas lie where the host would put them in a picture of that size; SDXL is told that size."""
    patcher = model(shape)
    for size in (TWICE,) if part == "area" else (TWICE, OTHER):
        guest = latents(size)
        found, _ = as_guest(patcher, guest, prompts(patcher, part, SIZE))
        assert_same_image(found, by_itself(patcher, guest, prompts(patcher, part, size)))


@pytest.mark.parametrize("part", PARTS)
def test_a_guest_leaves_the_run_alone(part):
    """The run's own picture is the same to the bit, its prompts lie where they lay."""
    patcher = model(SHAPE)
    own = prompts(patcher, part, SIZE)
    _, picture = as_guest(patcher, latents(OTHER), own)
    assert torch.equal(picture, run(patcher, SIZE, own))


def test_areas_keep_their_part_of_the_picture():
    """Cells or percent of one size in cells of another: inside it, and never empty."""
    assert scaled_area((3, 5, 3, 5), (6, 10), (12, 20)) == (6, 10, 6, 10)
    assert scaled_area(("percentage", 0.5, 0.5, 0.5, 0.25), (6, 10), (8, 12)) == (4, 6, 4, 3)
    assert scaled_area((1, 1, 19, 19), (20, 20), (7, 3)) == (1, 1, 6, 2)


def with_hook(patcher, *keyframes):
    """Prompts, of which the positive ones have a LoRA; keyframes of its strength: (sigma, strength)."""
    lora = tiny_lora(patcher.model.diffusion_model, "diffusion_model.", ("to_k", "to_out.0"))
    hooks = comfy.hooks.create_hook_lora(lora, 0.5, 0.0)
    to_sigma = patcher.get_model_object("model_sampling").percent_to_sigma
    frames = comfy.hooks.HookKeyframeGroup()
    for sigma, strength in keyframes:
        start = next(p for p in torch.linspace(0, 1, 1001).tolist() if to_sigma(p) <= sigma)
        frames.add(comfy.hooks.HookKeyframe(strength, start))
    hooks.set_keyframes_on_hooks(frames)
    positive, negative = prompts(patcher, "mask", SIZE)
    return [[text, {**more, "hooks": hooks}] for text, more in positive], negative


def test_a_lora_on_the_prompt_is_there_for_guests():
    """The host's hook: for a guest as in a run of its own size."""
    patcher, guest = model(SHAPE), latents(OTHER)
    found, _ = as_guest(patcher, guest, with_hook(patcher))
    assert_same_image(found, by_itself(patcher, guest, with_hook(patcher)))
    bare = by_itself(patcher, guest, prompts(patcher, "mask", SIZE))
    assert not torch.allclose(found, bare, rtol=0.05)


def test_a_guest_leaves_the_keyframes_of_a_hook_where_they_are():
    """A guest that comes in the middle of a run, where the LoRA has reached its third strength."""
    patcher, keyframes = model(SHAPE), ((20.0, 0.2), (4.5, 0.5), (3.5, 0.9))
    how = {"sigmas": torch.tensor([5.0, 4.0, 3.0, 2.0, 0.0])}
    late = install(patcher, Visited(guest=latents(OTHER), below=2.5))
    visited = run(late, SIZE, with_hook(patcher, *keyframes), **how)
    assert torch.equal(visited, run(patcher, SIZE, with_hook(patcher, *keyframes), **how))


def test_guests_get_no_controlnet():
    """Of another size neither: a ControlNet changes the run, and not what is expected of its guest."""
    patcher = model(SHAPE)
    own = prompts(patcher, "mask", SIZE)
    hint = torch.rand(1, 48, 80, 3, generator=torch.Generator().manual_seed(1))
    controlled = ControlNetApplyAdvanced().apply_controlnet(
        *own, tiny_controlnet(patcher), hint, 0.5, 0.0, 1.0
    )
    guest = latents(OTHER)
    found, picture = as_guest(patcher, guest, controlled)
    assert_same_image(found, by_itself(patcher, guest, own))
    assert not torch.allclose(picture, run(patcher, SIZE, own), rtol=0.05)


@pytest.mark.parametrize("part", PARTS)
def test_cross_image_attention_takes_prompts_for_parts(part):
    """Pictures of different size, and a prompt for a part of them: a picture that the prompt has a say in."""
    given = transfer(SHAPE, inverted(SHAPE, 1), inverted(SHAPE, 2, OTHER))
    positive, _ = prompts(model(SHAPE), part, SIZE)
    out = sampled(given, positive)
    assert out.isfinite().all()
    assert not torch.allclose(out, sampled(given, positive[:1]), rtol=0.05)


def test_a_prompt_for_every_part_is_a_prompt_for_the_whole():
    """Under a full mask or a full area Cross-Image Attention gives what it gives under the bare prompt."""
    structure, appearance = inverted(SHAPE, 1), inverted(SHAPE, 2, OTHER)
    expected = output(SHAPE, structure, appearance, **WHOLE)
    masked = ConditioningSetMask().append(prompt(SHAPE), torch.ones(1, 48, 80), "default", 1.0)[0]
    whole = ConditioningSetArea().append(prompt(SHAPE), 80, 48, 0, 0, 1.0)[0]
    for text in (masked, whole):
        out = sampled(transfer(SHAPE, structure, appearance, **WHOLE), text)
        assert_same_image(out, expected, tolerance=2e-3)
