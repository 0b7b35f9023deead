"""Half the bits where the machine is faster with them."""

from contextlib import AbstractContextManager, nullcontext

import torch


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 itself: a processor that does not is ten times slower so."""
    if device.type == "cpu":
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def mixed(device: torch.device) -> AbstractContextManager[None]:
    """Products in bfloat16 where that is fast, else everything in float32."""
    return torch.autocast(device.type, torch.bfloat16) if has_bfloat16(device) else nullcontext()
