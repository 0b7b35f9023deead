"""Conditionings, sampling runs and a record of the model calls they make."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import nodes  # the host's nodes.py
import torch
from comfy.model_patcher import ModelPatcher

from .models import POOLED
from .precision import difference

Conditioning = list[list[Any]]


def conditioning(model: ModelPatcher, rows: int = 1, tokens: int = 77, seed: int = 0) -> Conditioning:
    """Random CONDITIONING for `model`: text (rows, tokens, C) and pooled vectors (rows, P).

    Row r depends on `seed` and r only: the first row of four is the same as a single row of that seed.
    """
    width = model.model.model_config.unet_config["context_dim"]
    generators = [torch.Generator().manual_seed(1000 * seed + row) for row in range(rows)]
    text = torch.stack([torch.randn(tokens, width, generator=g) for g in generators])
    pooled = torch.stack([torch.randn(POOLED, generator=g) for g in generators])
    return [[text, {"pooled_output": pooled}]]


def only_image(conditioning: Conditioning, image: int) -> Conditioning:
    """The conditioning of one image of a batch: row `image` of each entry."""
    row = slice(image, image + 1)
    return [
        [text[row], {**extra, "pooled_output": extra["pooled_output"][row]}] for text, extra in conditioning
    ]


def every_image(conditioning: Conditioning, images: int) -> Conditioning:
    """A one-row conditioning written out for each of `images` images."""
    return [
        [text.expand(images, -1, -1), {**extra, "pooled_output": extra["pooled_output"].expand(images, -1)}]
        for text, extra in conditioning
    ]


def prolonged(conditioning: Conditioning, times: int = 5) -> Conditioning:
    """The text `times` over: the same in cross-attention, but 5 x 77 tokens never share a call with 77."""
    return [[text.repeat(1, times, 1), extra] for text, extra in conditioning]


def sample(
    model: ModelPatcher,
    positive: Conditioning,
    negative: Conditioning,
    *,
    latent: torch.Tensor | None = None,
    batch: int = 4,
    height: int = 8,
    width: int = 8,
    images: list[int] | None = None,
    seed: int = 0,
    steps: int = 2,
    cfg: float = 5.0,
    sampler: str = "euler",
    scheduler: str = "normal",
    denoise: float = 1.0,
    between: tuple[int, int] | None = None,
    **latent_keys: Any,
) -> torch.Tensor:
    """Latents (B, 4, H, W) of one run of the host's KSampler path, in inference mode as in the server.

    The start is `latent` or zeros (batch, 4, height, width). The noise of a row follows from `seed` and its
    number in `images` (default 0, 1, ...), so `batch=1, images=[2]` starts as the third of a batch does.
    between: the first step that is made and the first that is not; a run that begins later adds no noise, and
    one that ends before the last step leaves its noise, as KSamplerAdvanced has it.
    latent_keys: further entries of the LATENT, such as noise_mask.
    """
    if latent is None:
        latent = torch.zeros(batch, 4, height, width)
    numbers = list(range(len(latent))) if images is None else images
    entry = {"samples": latent, "batch_index": numbers, **latent_keys}
    with torch.inference_mode():
        (out,) = nodes.common_ksampler(
            model,
            seed,
            steps,
            cfg,
            sampler,
            scheduler,
            positive,
            negative,
            entry,
            denoise=denoise,
            disable_noise=between is not None and between[0] > 0,
            start_step=between and between[0],
            last_step=between and between[1],
        )
    return out["samples"]


def assert_same_image(actual: torch.Tensor, expected: torch.Tensor, tolerance: float = 1e-4) -> None:
    """Latents equal up to rounding: the largest difference over the root mean square of `expected`."""
    assert actual.shape == expected.shape
    found = difference(actual, expected)
    assert found <= tolerance, f"differs by {found:.2g} of the rms (tolerance {tolerance:.2g})"


@dataclass(frozen=True)
class Call:
    """One call of the model: its chunks (0 positive, 1 negative), rows, latent size and sigma."""

    cond_or_uncond: tuple[int, ...]
    shape: tuple[int, ...]
    sigma: float


@contextmanager
def spy_calls(model: ModelPatcher) -> Iterator[list[Call]]:
    """Record the calls of this BaseModel (shared by its clones) while the block lasts."""
    calls: list[Call] = []
    original = model.model.apply_model

    def recording(x: torch.Tensor, t: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        chunks = kwargs["transformer_options"]["cond_or_uncond"]
        calls.append(Call(tuple(chunks), tuple(x.shape), float(t[0])))
        return original(x, t, *args, **kwargs)

    with patch.object(model.model, "apply_model", recording):
        yield calls


@contextmanager
def split_calls(model: ModelPatcher, rows: int) -> Iterator[None]:
    """While the block lasts the host finds memory for `rows` rows only: one call per chunk, negative first.

    For positive first use `prolonged` on one of the two conditionings instead.
    """
    original = model.model.memory_required

    def required(input_shape: list[int], *args: Any, **kwargs: Any) -> float:
        return original(input_shape, *args, **kwargs) if input_shape[0] <= rows else float(1 << 62)

    with patch.object(model.model, "memory_required", required):
        yield
