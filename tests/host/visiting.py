"""Runs in which a picture of another size visits, under prompts for a part of the picture."""

from dataclasses import dataclass, field
from typing import Any

import comfy.hooks
import comfy.sample
import comfy.samplers
import torch
from attention_control.attention_patches.contract.denoiser import Denoiser
from attention_control.nodes.host.run.install import install
from nodes import ConditioningSetArea, ConditioningSetAreaPercentage, ConditioningSetMask
from torch import Tensor

from .just import Blind, Just
from .tiny import conditioning
from .tiny.extras import tiny_lora
from .transfers import SIZE

SIGMAS = torch.tensor([5.0, 0.0])
OTHER, TWICE = (9, 7), (12, 20)


@dataclass(kw_only=True)
class Visited:
    """Lets a guest through before its own calls at this noise level or below, and after them."""

    guest: Tensor
    below: float = 99.0
    prompt: Any = None  # its own
    whole: bool = False
    seen: list[Tensor] = field(default_factory=list)

    def denoise(self, latents: Tensor, model: Denoiser) -> Tensor:
        if model.sigma > self.below:
            return model.rest(latents)
        self.seen.append(self._visit(model))
        out = model.rest(latents)
        self.seen.append(self._visit(model))
        return out

    def _visit(self, model: Denoiser) -> Tensor:
        return model.guests(self.guest, Blind(), prompt=self.prompt, whole=self.whole)


def run(patcher, size, prompts, sampler="euler", sigmas=SIGMAS, cfg=3.0):
    """One step from ones of this size."""
    start = torch.zeros(1, 4, *size)
    if isinstance(sampler, str):
        sampler = comfy.samplers.sampler_object(sampler)
    with torch.inference_mode():
        return comfy.sample.sample_custom(
            patcher, torch.ones_like(start), cfg, sampler, sigmas, *prompts, start, disable_pbar=True
        )


def as_guest(patcher, guest, prompts, own=None, whole=False):
    """What the host expects of `guest` inside a run of SIZE, under `own` if given; and that run's picture."""
    visited = Visited(guest=guest, prompt=own, whole=whole)
    picture = run(install(patcher, Just([visited])), SIZE, prompts)
    before, after = visited.seen
    assert torch.equal(before, after)
    return before, picture


def by_itself(patcher, guest, prompts, cfg=3.0):
    """What the host expects of `guest` in a run of its own size."""
    seen = []

    def once(denoise, x, sigmas, extra_args=None, **_):
        seen.append(denoise(guest, sigmas[:1], **extra_args))
        return x

    run(patcher, guest.shape[-2:], prompts, comfy.samplers.KSAMPLER(once), cfg=cfg)
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
