"""Half the bits where the machine is faster with them."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 itself: a processor that does not is ten times slower so."""
    if device.type == "cpu":
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def mixed(device: torch.device) -> AbstractContextManager[None]:
    """Products in bfloat16 where that is fast, else everything in float32."""
    return torch.autocast(device.type, torch.bfloat16) if has_bfloat16(device) else nullcontext()


def attention_precision(device: torch.device) -> AbstractContextManager[None]:
    """Attention in float32 on a processor: its gradient in bfloat16 takes six times as long there."""
    return torch.autocast("cpu", enabled=False) if device.type == "cpu" else nullcontext()


def attention_inputs(*tensors: Tensor) -> list[Tensor]:
    """Queries, keys and values in the precision that their attention is computed in."""
    return [tensor.float() if tensor.device.type == "cpu" else tensor for tensor in tensors]
