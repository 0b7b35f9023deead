"""MultiDiffusion once more: loops over windows and cells in float64, round the model's own calls."""

import math
from typing import Any

import comfy.samplers
import torch
from comfy.sampler_helpers import convert_cond
from torch import Tensor


def begins(side: int, window: int, stride: int, wrap: bool) -> list[int]:
    """Where windows begin."""
    if wrap:
        return [s for s in range(side) if s % stride == 0]
    found, at = [], 0
    while at + window < side:
        found.append(at)
        at += stride
    return [*found, max(side - window, 0)]


def weight(place: int, n: int, weighting: str) -> float:
    """Of one cell along one side of a window."""
    if weighting == "uniform":
        return 1.0
    return math.exp(-(((place - (n - 1) / 2) / n) ** 2) / (2 * 0.1**2))


def fused(
    x: Tensor,
    look: Any,
    window: tuple[int, int],
    stride: int,
    wrap: bool = False,
    weighting: str = "uniform",
    mean: bool = True,
) -> Tensor:
    """`look(part (B, C, ..., h, w), top, left)` at each window of x (B, C, ..., H, W), averaged by cell, or
    summed."""
    height, width = x.shape[-2:]
    h, w = min(window[0], height), min(window[1], width)
    total = torch.zeros_like(x, dtype=torch.float64)
    weights = torch.zeros(height, width, dtype=torch.float64)
    for top in begins(height, window[0], stride, False):
        for left in begins(width, window[1], stride, wrap):
            columns = [(left + i) % width for i in range(w)]
            found = look(x[..., top : top + h, :][..., columns], top, left).double()
            for i in range(h):
                for j, column in enumerate(columns):
                    share = weight(i, h, weighting) * weight(j, w, weighting)
                    total[..., top + i, column] += share * found[..., i, j]
                    weights[top + i, column] += share
    return total / weights if mean else total


def panorama(model: Any, **how: Any) -> Any:
    """A clone that is guided window by window, in the host's slot for whole calls: another road than the
    pack's."""

    def whole(args: dict[str, Any]) -> list[Tensor]:
        def look(number: int, part: Tensor) -> Tensor:
            options = {k: v for k, v in args["model_options"].items() if k != SLOT}
            alone = [own if one == number else None for one, own in enumerate(args["conds"])]
            return comfy.samplers.calc_cond_batch(args["model"], alone, part, args["sigma"], options)[number]

        return [
            fused(args["input"], lambda part, top, left, n=number: look(n, part), **how).to(args["input"])
            for number in range(len(args["conds"]))
        ]

    clone = model.clone()
    clone.model_options[SLOT] = whole
    return clone


SLOT = "sampler_calc_cond_batch_function"


def regional(
    model: Any,
    regions: list[tuple[Any, Any, Tensor]],
    early: Any,
    colour: Tensor,
    noise: Tensor,
    flow: bool = False,
    **how: Any,
) -> Any:
    """The same with regions, (positive, negative or None, mask (H, W) on the latents) each; while
    `early(sigma)` each sees a background of one colour (C, 1, 1) outside its mask. In a `flow` a picture
    fades as noise comes in."""

    def whole(args: dict[str, Any]) -> list[Tensor]:
        x, model_, sigma = args["input"], args["model"], args["sigma"]
        options = {k: v for k, v in args["model_options"].items() if k != SLOT}
        masks = [mask for *_, mask in regions]
        background = (1 - sum(masks)).clamp(min=0)
        found = []
        for number, own in enumerate(args["conds"]):
            total, weight = torch.zeros_like(x, dtype=torch.float64), torch.zeros_like(background).double()
            for region, mask in [(None, background), *((r, r[2]) for r in regions)]:
                given = region and region[number]
                conds = own if given is None else _prepared(model_, x, given)
                seen = x
                if region is not None and early(float(sigma[0])):
                    left = 1 - sigma[0] if flow else 1.0
                    seen = x * mask + (1 - mask) * (left * colour + sigma[0] * noise)

                def look(ones: Tensor, top: int, left: int, conds=conds, seen=seen, mask=mask) -> Tensor:
                    part = seen[..., top : top + ones.shape[-2], left : left + ones.shape[-1]]
                    out = comfy.samplers.calc_cond_batch(model_, [conds], part, sigma, options)[0]
                    return out * mask[top : top + ones.shape[-2], left : left + ones.shape[-1]]

                # sums, not means: without weights of their own, masks would be divided out of these
                total += fused(x, look, **how, mean=False)
                ones = torch.ones_like(background)[None, None]
                weight += fused(ones, _given(mask), **how, mean=False)[0, 0]
            found.append((total / weight).to(x))
        return found

    clone = model.clone()
    clone.model_options[SLOT] = whole
    return clone


def _given(mask: Tensor) -> Any:
    def look(part: Tensor, top: int, left: int) -> Tensor:
        return part * mask[top : top + part.shape[-2], left : left + part.shape[-1]]

    return look


def _prepared(model: Any, x: Tensor, prompt: Any) -> Any:
    entries = {"positive": convert_cond(prompt)}
    return comfy.samplers.process_conds(model, x, entries, x.device, None, None, 0)["positive"]
