"""Rotations of queries and keys as torch can differentiate them.

The host rotates by kernels of a package of its own, `comfy_kitchen`, which know no gradient. Beside each of
them the package has the same in plain torch.
"""

from importlib import import_module
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

KERNELS = "comfy_kitchen."
PLAIN = "comfy_kitchen.backends.eager.rope"  # looked up where a kernel is called: hosts may have neither


class PlainRotations(TorchFunctionMode):
    """While a graph is recorded, compute the rotations of `comfy_kitchen` in plain torch."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func)
        if torch.is_grad_enabled() and name.startswith(KERNELS):
            func = getattr(import_module(PLAIN), name.removeprefix(KERNELS).split(".")[0], func)
        return func(*args, **(kwargs or {}))
