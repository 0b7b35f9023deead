"""The layout nodes as users wire them: what they give, runs from given noise, and the figures they report."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import comfy.sample
import torch
from attention_control.nodes.layout.bounded_attention_node import BoundedAttention
from attention_control.nodes.layout.layout_guidance_node import LayoutGuidance
from torch import Tensor

from .node_calls import call_node
from .specimen import SHALLOW, model

PROMPT = "a red cat and a blue dog"
BOXES = "0 32 64 64: red cat\n64 32 64 64: blue dog"  # on 128 x 128 pixels
LATENT = (16, 16)
NODES = {"BoundedAttention": BoundedAttention, "LayoutGuidance": LayoutGuidance}
Prompts = list[list[Any]]


@dataclass(frozen=True)
class Way:
    """A layout node with settings of its own."""

    label: str
    settings: dict[str, Any]
    shape: str = "sd15"

    def __str__(self) -> str:
        return ", ".join([self.label, *(f"{name} {value}" for name, value in self.settings.items())])

    def __call__(self, clip: Any, on: Any = None, **settings: Any) -> tuple[Any, Prompts]:
        """The node's MODEL and CONDITIONING."""
        usual = {"boxes": BOXES, "width": 128, "height": 128, "prompt": PROMPT}
        chosen = {**usual, **self.settings, **settings}
        patcher = model(self.shape) if on is None else on
        outputs = call_node(NODES[self.label], patcher, clip, chosen.pop("prompt"), **chosen)
        return outputs[0], outputs[1]


MASKS = Way("BoundedAttention", {"guidance_until": 0.0, "refine_from": 1.0})
FOUND = Way("BoundedAttention", {"guidance_until": 0.0, "refine_from": 0.3, "refine_every": 0.05})
GUIDED_MASKS = Way("BoundedAttention", {"guidance_until": 1.0, "guidance_iterations": 1, "refine_from": 1.0})
GUIDED = Way("LayoutGuidance", {"guidance_until": 1.0, "guidance_iterations": 1})
WAYS = [MASKS, FOUND, GUIDED_MASKS, GUIDED]
SHALLOW_WAYS = [replace(way, shape=SHALLOW) for way in WAYS]


def encoded(clip: Any, text: str) -> Prompts:
    """CONDITIONING of another text, as the host's own node gives it."""
    conditioning: Prompts = clip.encode_from_tokens_scheduled(clip.tokenize(text))
    return conditioning


def noise(images: int = 1, latent: tuple[int, int] = LATENT) -> Tensor:
    """(images, 4, h, w)"""
    return torch.randn(images, 4, *latent, generator=torch.Generator().manual_seed(7))


def run(
    patched: Any, positive: Prompts, negative: Prompts, start: Tensor, steps: int = 1, cfg: float = 4.0
) -> Tensor:
    """Latents of a run from this noise; with `dpmpp_2m`, whose last word is the model's own."""
    with torch.inference_mode():
        return comfy.sample.sample(
            patched,
            start,
            steps,
            cfg,
            "dpmpp_2m",
            "normal",
            positive,
            negative,
            torch.zeros_like(start),
            seed=0,
            disable_pbar=True,
        )


def figures(report: Callable[..., list[tuple[str, str]]], label: str) -> list[tuple[int, int]]:
    """Percents of attention in the boxes, first and last, of each subject in the last report."""
    (*_, (_, line)) = report(label)
    return [(int(first), int(last)) for first, last in re.findall(r"(\d+) -> (\d+) %", line)]
