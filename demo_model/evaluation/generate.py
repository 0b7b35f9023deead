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
) -> Iterator[Tensor]:
    """Images (size, size, 3) in 0..1, one per prompt, each starting from its own seed."""
    import comfy.sample

    negative = encode(demo.clip, [""])
    for first in range(0, len(prompts), batch):
        rows = encode(demo.clip, prompts[first : first + batch])
        noise = torch.stack([_noise(seed, size // 8) for seed in seeds[first : first + batch]])
        latents = comfy.sample.sample(
            demo.model,
            noise,
            STEPS,
            cfg,
            SAMPLER,
            SCHEDULER,
            [[rows, {}]],
            [[negative, {}]],
            torch.zeros_like(noise),
            disable_pbar=True,
            seed=int(seeds[first]),
        )
        yield from demo.vae.decode(latents).cpu()


def _noise(seed: int, size: int) -> Tensor:
    return torch.randn(4, size, size, generator=torch.Generator().manual_seed(int(seed)))
