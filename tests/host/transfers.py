"""Appearance transfer on tiny models: inversions of random pictures, and the authors' way of doing it."""

from functools import cache
from typing import Any

import comfy.sample
import comfy.samplers
import torch
from attention_control.attention_patches.inversion.inversion import Inversion, InversionMethod
from attention_control.nodes.host.walks.invert import Conditions, invert
from torch import Tensor

from . import naive
from .specimen import model
from .tiny import conditioning

STEPS = 8
SIZE = (6, 10)


def prompt(shape: str, rows: int = 1) -> Any:
    return conditioning(model(shape), rows, seed=1)


@cache
def inverted(
    shape: str,
    seed: int,
    size: tuple[int, int] = SIZE,
    images: int = 1,
    method: InversionMethod = "edit friendly ddpm",
    steps: int = STEPS,
    patcher: Any = None,
) -> Inversion:
    """Of random pictures; picture i is the same whatever their number. By the plain model, or `patcher`."""
    pictures = torch.cat(
        [
            torch.randn(1, 4, *size, generator=torch.Generator().manual_seed(100 * seed + i))
            for i in range(images)
        ]
    )
    sampling = model(shape).get_model_object("model_sampling")
    sigmas = comfy.samplers.calculate_sigmas(sampling, "ddim_uniform", steps)
    with torch.inference_mode():
        base, conditions = patcher or model(shape), Conditions(prompt(shape), None, 1.0)
        found, _ = invert(base, conditions, {"samples": pictures}, sigmas, method, seed)
    return found


def pair(shape: str, **second: Any) -> tuple[Inversion, Inversion]:
    """A structure and an appearance."""
    return inverted(shape, 1), inverted(shape, 2, **second)


def sampled(outputs: Any, positive: Any, negative: Any = None, cfg: float = 1.0) -> Tensor:
    """Latents of one run of what the node gave out: MODEL, SAMPLER, SIGMAS, LATENT."""
    patched, sampler, sigmas, latent = outputs
    start = latent["samples"]
    with torch.inference_mode():
        out: Tensor = comfy.sample.sample_custom(
            patched,
            torch.zeros_like(start),
            cfg,
            sampler,
            sigmas,
            positive,
            negative or [],
            start,
            disable_pbar=True,
            seed=0,
        )
    return out


def authors_way(
    shape: str,
    structure: Inversion,
    appearance: Inversion,
    *,
    places: Any,
    first: int,
    swapped: range,
    adain_from: int,
    contrast: float = 1.67,
    guidance: float = 3.5,
    every: int = 5,
    patcher: Any = None,
) -> Tensor:
    """Output, appearance and structure as one batch of three through the whole schedule, in float64 but for
    the model: two passes a step, each row with its own stored noise. Steps are counted from `first`; keys
    are swapped where attention is told one of `swapped`. By the plain model, or `patcher`."""
    source: int | None = None  # whose keys and values the output gets: 1 appearance, 2 structure
    told = 0  # the step as attention knows it: what is called behind a step says which one that was

    def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = q.double(), k.double(), v.double()
        rows = [naive.attend(*row) for row in zip(q, k, v, strict=True)]
        if source is not None:
            rows[0] = naive.contrasted_attention(q[0], k[source], v[source], contrast)
        return torch.stack(rows)

    def walk(denoise: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, **_: Any) -> Tensor:
        nonlocal source, told
        trio = [structure, appearance, structure]
        x = torch.cat([row.states[first] for row in trio]).double()
        levels = sigmas.double()
        executed = len(levels) - 1
        strength = torch.linspace(guidance, max(guidance / 2, 1.0), executed)
        for i in range(executed):
            sigma = levels[i].float().expand(3)
            refresh = every > 0 and told % every == 0 and told < 40 / 68 * executed
            source = (2 if refresh else 1) if told in swapped else None
            with_swap = denoise(x.float(), sigma, **extra_args).double()
            source = None
            without = denoise(x.float(), sigma, **extra_args).double()
            noise = torch.cat([row.noise[first + i] for row in trio]).double()
            expected = without + strength[i] * (with_swap - without)  # the same where nothing was swapped
            x = naive.ddpm_step(x, expected, levels[i], levels[i + 1], noise)
            told = i
            if i >= adain_from:
                x[0] = naive.adain(x[0].flatten(1).T, x[1].flatten(1).T).T.unflatten(1, x.shape[2:])
        return x.float()

    patched = naive.replace_self_attention(patcher or model(shape), attention, places)
    start = torch.zeros(3, *structure.picture.shape[1:])
    with torch.inference_mode():
        out = comfy.sample.sample_custom(
            patched,
            start,
            1.0,
            comfy.samplers.KSAMPLER(walk),
            structure.sigmas[first:],
            prompt(shape),
            [],
            start,
            disable_pbar=True,
            seed=0,
        )
    return out[:1]
