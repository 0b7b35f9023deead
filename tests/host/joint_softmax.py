"""What the host's attention computes on tiny transformers, from its tensors alone, and who looks at it."""

from dataclasses import dataclass, field
from functools import cache
from typing import ClassVar

import comfy.model_patcher
import comfy.supported_models
import torch

from .tiny.transformer_shapes import LLAMA, TOKENS
from .tiny.transformers import painted, transformer

GRIDS = {"flux2": (7, 12), "hunyuan-image": (7, 12)}  # of 7 x 12 cells; 4 x 6 where a token has 2 x 2


@dataclass
class Looking:
    """Sees attention, and changes nothing; what it was given first in a layer is kept."""

    kinds: tuple = ("self", "cross")
    seen: dict = field(default_factory=dict)
    order: ClassVar = "edit"

    def wants(self, site):
        return site.kind in self.kinds

    def __call__(self, site, qkv, attend):
        self.seen.setdefault((site.layer.ordinal, site.kind), (site, qkv))
        return attend(qkv)


def spied(model, calls):
    """A clone of a MODEL that keeps what the host's attention is given, as (B, H, N, d)."""

    def spy(func, q, k, v, heads, *rest, **named):
        out = func(q, k, v, heads, *rest, **named)
        by_head = (
            x
            if named.get("skip_reshape")
            else (x if x.ndim == 4 else x.unflatten(-1, (heads, -1))).transpose(1, 2)
            for x in (q, k, v)
        )
        mask = rest[0] if rest else named.get("mask")
        calls.append((*(x.double() for x in by_head), mask, out))
        return out

    clone = model.clone()
    clone.model_options["transformer_options"]["optimized_attention_override"] = spy
    return clone


@cache
def plain(kind):
    """Sampled once, for those who hold theirs against it."""
    return painted(transformer(kind), kind)


def joint_maps(kind, what, call, tokens):
    """What part of a call's softmax says, from the tensors alone: the order of the keys is known here."""
    q, k, _, mask, _ = call
    text = 512 if kind == "flux2" else TOKENS
    fill = -text % 32 if kind == "z-image" else 0
    if kind in ("cosmos", "wan"):
        wanted = tokens if what == "self" else text
        if k.shape[2] != wanted:
            return None
        start, keys = 0, slice(0, wanted)
    elif kind == "hidream":
        text += 2 * LLAMA
        start, keys = 0, slice(0, tokens) if what == "self" else slice(tokens, tokens + text)
    else:
        first = 8 if kind == "aura-flow" else 0
        start = first + text + fill
        if k.shape[2] < start + tokens:
            return None
        keys = slice(start, start + tokens) if what == "self" else slice(first, first + text)
    logits = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    logits = logits if mask is None else logits + mask.double()[:, None]
    return logits.softmax(-1)[:, :, start : start + tokens, keys]


def unloaded(config, numbers):
    """A MODEL of the host's, whose weights are nowhere."""
    settings = getattr(comfy.supported_models, config)(numbers)
    settings.set_inference_dtype(torch.float32, None)
    model = settings.get_model({}, device=torch.device("meta"))
    return comfy.model_patcher.ModelPatcher(model, torch.device("cpu"), torch.device("cpu"))
