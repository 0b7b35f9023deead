"""Runs with prompts of regions on a tiny model."""

from typing import Any

import torch
from attention_control.attention_patches.contract.views import RegionPrompts
from attention_control.attention_patches.methods.multidiffusion.method import MultiDiffusion
from attention_control.attention_patches.methods.multidiffusion.regions import Region
from attention_control.nodes.host.run.install import install
from torch import Tensor

from .specimen import SHALLOW, model
from .tiny import conditioning, sample

WIDE = {"height": 6, "width": 14, "batch": 2}
WINDOWS = {"window": (6, 8), "stride": 3}


def text(seed: int) -> Any:
    return conditioning(model(SHALLOW), seed=seed)


def box(top: int, bottom: int, left: int, right: int) -> Tensor:
    mask = torch.zeros(6, 14)
    mask[top:bottom, left:right] = 1.0
    return mask


def with_regions(regions: Any, **settings: Any) -> Any:
    """Of (positive, negative or None, mask)."""
    prompts = [Region(RegionPrompts(positive=p, negative=n), mask) for p, n, mask in regions]
    method = MultiDiffusion(**{**WINDOWS, "regions": tuple(prompts), **settings})
    return install(model(SHALLOW), method)


def everywhere(positive: Any, negative: Any = None) -> Any:
    """A region of the whole picture, in one window."""
    return with_regions([(positive, negative, torch.ones(6, 14))], window=(6, 14), stride=1, bootstrap=0.0)


def run(patched: Any, **how: Any) -> Tensor:
    return sample(patched, text(1), text(2), **{**WIDE, **how})
