"""Weights and buffers as autograd takes them, under a host that computes everything in inference mode."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class PrivateWeights(TorchFunctionMode):
    """While a graph is recorded, let it keep what will not change: ordinary views of the host's weights.

    These are inference tensors, which autograd refuses. Of what lies in buffers that the next layer
    overwrites, of quantised weights, and of all other inference tensors it gets copies, as soon as they meet
    what a gradient is asked of. Whatever else the host does with them (casting, adding a LoRA, writing into
    buffers of its own) is as in any run. Nobody asks for the gradient of a weight, whatever the weights say:
    in older hosts (0.24.0) they do.
    """

    def __init__(self) -> None:
        super().__init__()
        self.given: set[int] = set()  # memory of weights of which the graph has got views

    def kept(self, value: Tensor) -> Tensor:
        """What a graph keeps of a tensor that others may write into: a copy, but of no weight."""
        return value if value.untyped_storage().data_ptr() in self.given else value.clone()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        values = [*args, *kwargs.values()]
        recorded = torch.is_grad_enabled() and _any(values, _asks)
        written = _written(func, args, kwargs)
        if written and not recorded:
            with torch.inference_mode():  # outside of it torch lets nobody write into inference tensors
                return func(*args, **kwargs)
        if written or not recorded:  # a gradient cannot go through one: torch says so
            unasked = not recorded and _any(values, _weight_asks)
            with torch.no_grad() if unasked else nullcontext():
                return func(*args, **kwargs)
        weights = getattr(func, "__name__", "") in _WITH_WEIGHTS
        args = tuple(self._private(arg, weights and place > 0) for place, arg in enumerate(args))
        return func(*args, **{name: self._private(arg, weights) for name, arg in kwargs.items()})

    def _private(self, value: Any, weight: bool) -> Any:
        if not isinstance(value, Tensor) or _asks(value):
            return value
        if weight and type(value) is torch.nn.Parameter:  # stays in its place, and nobody writes to it
            self.given.add(value.untyped_storage().data_ptr())
            return _ordinary(value) if value.is_inference() else value.detach()
        if value.requires_grad:
            value = value.detach()
        return value.clone() if weight or value.is_inference() else value


def _asks(value: Tensor) -> bool:
    """Whether a gradient is asked of a value, which is none of the weights."""
    return value.requires_grad and not isinstance(value, torch.nn.Parameter)


def _weight_asks(value: Tensor) -> bool:
    """Whether a weight asks for a gradient, which nobody wants."""
    return value.requires_grad and isinstance(value, torch.nn.Parameter)


def _any(values: Any, holds: Callable[[Tensor], bool]) -> bool:
    """Whether something holds for any of these values, or of what lists and tuples among them hold."""
    return any(
        holds(value) if isinstance(value, Tensor) else _any(value, holds)
        for value in values
        if isinstance(value, Tensor | list | tuple)
    )


def _written(func: Any, args: Any, kwargs: dict[str, Any]) -> bool:
    """Whether a call writes into an inference tensor."""
    name = getattr(func, "__name__", "")
    in_place = name in _IN_PLACE or (name.endswith("_") and not name.endswith("__"))
    target = kwargs.get("out", args[0] if in_place and args else None)
    return isinstance(target, Tensor) and target.is_inference()


_IN_PLACE = {
    "__setitem__",
    *(f"__i{name}__" for name in ("add", "sub", "mul", "truediv", "and", "or", "pow")),
}
_WITH_WEIGHTS = {"linear", "conv1d", "conv2d", "group_norm", "layer_norm", "rms_norm"}


def _ordinary(value: Tensor) -> Tensor:
    """The same memory as a tensor that autograd takes."""
    with torch.inference_mode(False):
        place = value.untyped_storage(), value.storage_offset(), value.size(), value.stride()
        return torch.empty(0, dtype=value.dtype, device=value.device).set_(*place)
