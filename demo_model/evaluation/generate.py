"""Pictures from prompts through the host's own sampling."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

STEPS, CFG, SAMPLER, SCHEDULER = 20, 3.0, "euler_ancestral", "normal"


@torch.inference_mode()
def encode(clip: Any, prompts: Sequence[str]) -> Tensor:
    """(B, 77, width): one row per prompt."""
    return torch.cat([clip.encode_from_tokens(clip.tokenize(prompt)) for prompt in prompts])


@torch.inference_mode()
def generate(
    demo: Any,
    prompts: Sequence[str],
    seeds: Sequence[int],
    size: int = 128,
    batch: int = 10,
    cfg: float = CFG,
    extra: dict[str, Any] | None = None,
) -> Iterator[Tensor]:
    """Images (size, size, 3) in 0..1, one per prompt, each from its own seed. `extra` goes into positive and
    negative conditioning, as a ControlNet does."""
    import comfy.sample
    import comfy.samplers

    negative = encode(demo.clip, [""])
    sigmas = comfy.samplers.calculate_sigmas(demo.model.get_model_object("model_sampling"), SCHEDULER, STEPS)
    for first in range(0, len(prompts), batch):
        rows = encode(demo.clip, prompts[first : first + batch])
        channels = demo.model.get_model_object("latent_format").latent_channels
        noise = Noise(seeds[first : first + batch], size // 8, channels)
        start = noise()
        sampler = comfy.samplers.ksampler(SAMPLER, {"noise_sampler": noise})
        latents = comfy.sample.sample_custom(
            demo.model,
            start,
            cfg,
            sampler,
            sigmas,
            [[rows, dict(extra or {})]],
            [[negative, dict(extra or {})]],
            torch.zeros_like(start),
            disable_pbar=True,
        )
        yield from demo.vae.decode(latents).cpu()


class Noise:
    """Noise (B, channels, size, size); every row from a seed of its own, at the start and at each step."""

    def __init__(self, seeds: Sequence[int], size: int, channels: int = 4) -> None:
        self.generators = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
        self.shape = (channels, size, size)

    def __call__(self, *_sigmas: Any) -> Tensor:
        return torch.stack([torch.randn(self.shape, generator=g) for g in self.generators])
