"""The demo model through windows of its own size."""

from typing import Any

import comfy.sample
from attention_control.attention_patches.methods.multidiffusion.method import MultiDiffusion
from attention_control.nodes.host.run.install import install
from attention_control.nodes.host.text.prompt_batch import encode_rows
from torch import Tensor

from measure.setting.models import empty_latents

WINDOW, CELL = 16, 8  # cells of a window's side, pixels of a cell's


def patched(model: Any, settings: dict[str, Any] | None) -> Any:
    """The model with windows of the settings."""
    if settings is None:
        return model
    return install(model, MultiDiffusion(window=(WINDOW, WINDOW), **settings))


def sampled(demo: Any, model: Any, prompts: list[str], width: int, steps: int, seed: int = 0) -> Tensor:
    """Latents (prompts, channels, 16, width)."""
    clip = demo[1]
    latent = empty_latents(model, len(prompts), WINDOW, width)
    noise = comfy.sample.prepare_noise(latent, seed)
    conds = encode_rows(clip, prompts), encode_rows(clip, [""])
    samples: Tensor = comfy.sample.sample(
        model, noise, steps, 3.0, "euler", "normal", *conds, latent, disable_pbar=True, seed=seed
    )
    return samples
