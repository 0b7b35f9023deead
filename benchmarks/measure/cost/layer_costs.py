"""What each layer of a published U-Net computes and keeps, counted on one without data.

A backward pass with respect to the input computes about what the forward pass does. So the naive gradient of
a picture takes 2 rows x 2 passes of the whole U-Net, and keeps what every layer saves for both rows. Ours
takes 1 row x 3 passes of the part up to the last measured layer (there, again, and back), and keeps the
layers' inputs and what a single layer saves, its weights copied.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import comfy.ops
import torch
from comfy.ldm.modules.attention import attention_pytorch
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel, forward_timestep_embed
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from measure.setting.models import SD15

# The published U-Net of SDXL: 2.6 billion parameters.
SDXL = {
    **SD15,
    "num_res_blocks": [2, 2, 2],
    "channel_mult": [1, 2, 4],
    "transformer_depth": [0, 0, 2, 2, 10, 10],
    "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
    "transformer_depth_middle": 10,
    "context_dim": 2048,
    "use_linear_in_transformer": True,
    "num_classes": "sequential",
    "adm_in_channels": 2816,
    "num_head_channels": 64,
}
MODELS = {"SD1.5": (SD15 | {"num_heads": 8}, 64), "SDXL": (SDXL, 128)}  # at 512 and at 1024 pixels
CASES = {
    # the model, the last block that is measured, and the bytes of a number
    "SD1.5, 512 pixels, float32": ("SD1.5", ("output", 5), 4),
    "SD1.5, 512 pixels, float16": ("SD1.5", ("output", 5), 2),
    "SDXL, 1024 pixels, float16, Layout Guidance": ("SDXL", ("output", 2), 2),
    "SDXL, 1024 pixels, float16, Bounded Attention": ("SDXL", ("output", 0), 2),
}
Figures = dict[str, float | str]


@dataclass
class Cost:
    """Of one layer, for one row; numbers, not bytes."""

    block: tuple[str, int]
    operations: int
    saved: int
    given: int
    weights: int


@contextmanager
def _saving() -> Iterator[dict[int, int]]:
    """Storages kept for the backward pass -> how many numbers they hold; without weights."""
    kept: dict[int, int] = {}

    def pack(x: torch.Tensor) -> torch.Tensor:
        if not isinstance(x, torch.nn.Parameter):
            kept[x.untyped_storage()._cdata] = x.untyped_storage().nbytes() // x.element_size()
        return x

    with saved_tensors_hooks(pack, lambda x: x):
        yield kept


def costs(config: dict[str, Any], side: int) -> list[Cost]:
    """Of every layer, in order of execution."""
    meta = torch.device("meta")
    found: list[Cost] = []
    unet = UNetModel(**config, device=meta, dtype=torch.float32, operations=comfy.ops.disable_weight_init)
    unet.requires_grad_(False)

    def handler(layer: Any, x: Any, emb: Any, context: Any, options: Any, *rest: Any) -> Any:
        inner = {**options, "patches": {}}
        with FlopCounterMode(display=False) as counter, _saving() as kept:
            out = forward_timestep_embed([layer], x, emb, context, inner, *rest)
        weights = sum(p.numel() for p in layer.parameters())
        found.append(
            Cost(options["block"], counter.get_total_flops(), sum(kept.values()), x.numel(), weights)
        )
        return out

    x = torch.empty(1, 4, side, side, device=meta, requires_grad=True)
    text = torch.empty(1, 77, config["context_dim"], device=meta)
    adm = config["adm_in_channels"]
    y = None if adm is None else torch.empty(1, adm, device=meta)
    options = {
        "patches": {"forward_timestep_embed_patch": [(torch.nn.Module, handler)]},
        "optimized_attention_override": lambda func, *args, **more: attention_pytorch(*args, **more),
    }
    unet(x, torch.zeros(1, device=meta), text, y, None, options)
    return found


def predicted() -> dict[str, Figures]:
    """Of each case the ratios of ours to the naive way, megabytes of both, and how they come about."""
    counted = {name: costs(config, side) for name, (config, side) in MODELS.items()}
    return {case: _predicted(counted[name], *rest) for case, (name, *rest) in CASES.items()}


def _predicted(layers: list[Cost], last: tuple[str, int], size: int) -> Figures:
    end = max(n for n, layer in enumerate(layers) if layer.block == last) + 1
    part = layers[:end]
    short, whole = (sum(c.operations for c in own) / 1e12 for own in (part, layers))
    inputs, saved = sum(c.given for c in part) / 1e6, sum(c.saved for c in layers) / 1e6
    largest = max(c.saved + c.weights for c in part) / 1e6
    kept, naive = size * (2 * inputs + largest), size * 2 * saved  # inputs twice: a private copy of each
    block, number = last
    return {
        "time ratio": 3 * short / (4 * whole),
        "memory ratio": kept / naive,
        "megabytes": kept * 1e6 / 2**20,
        "naive megabytes": naive * 1e6 / 2**20,
        "arithmetic": (
            f"time 1 row x 3 passes x {short:.2f} TFLOP up to {block} {number}, over 2 rows x 2 passes x "
            f"{whole:.2f} TFLOP; memory {size} bytes x (2 x {inputs:.0f} million numbers of layers' inputs + "
            f"{largest:.0f} million of the largest layer), over {size} bytes x 2 rows x {saved:.0f} million"
        ),
    }
