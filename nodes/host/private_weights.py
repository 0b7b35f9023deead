"""Weights and buffers as autograd takes them, under a host that computes everything in inference mode."""

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class PrivateWeights(TorchFunctionMode):
    """While a graph is recorded, let it keep what will not change: ordinary views of the host's weights.

    These are inference tensors, which autograd refuses. Of what lies in buffers that the next layer
    overwrites, of quantised weights, and of all other inference tensors it gets copies.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is Tensor.copy_ and args[0].is_inference():  # into a buffer of the host's own
            with torch.inference_mode():
                return func(*args, **kwargs)
        if not torch.is_grad_enabled():
            return func(*args, **kwargs)
        weights = getattr(func, "__name__", "") in _WITH_WEIGHTS
        args = tuple(_private(arg, weights and place > 0) for place, arg in enumerate(args))
        return func(*args, **{name: _private(arg, weights) for name, arg in kwargs.items()})


_WITH_WEIGHTS = {"linear", "conv1d", "conv2d", "group_norm", "layer_norm"}


def _private(value: Any, weight: bool) -> Any:
    if not isinstance(value, Tensor) or value.requires_grad:
        return value
    if weight and type(value) is torch.nn.Parameter:  # stays in its place, and nobody writes to it
        return _ordinary(value) if value.is_inference() else value
    return value.clone() if weight or value.is_inference() else value


def _ordinary(value: Tensor) -> Tensor:
    """The same memory as a tensor that autograd takes."""
    with torch.inference_mode(False):
        place = value.untyped_storage(), value.storage_offset(), value.size(), value.stride()
        return torch.empty(0, dtype=value.dtype, device=value.device).set_(*place)
