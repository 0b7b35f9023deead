"""GroupNorm whose statistics span an image and a reference, without touching the modules that call it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ...contract.call.site import Rows


@dataclass(frozen=True)
class SharedGroupNorms:
    """Opens `SharedGroupNorm` during each forward pass."""

    reference: int

    def around(self, rows: Rows) -> "SharedGroupNorm":
        return SharedGroupNorm(rows, self.reference)


class SharedGroupNorm(TorchFunctionMode):
    """While open in this thread, every `group_norm` of a whole batch (B, C, H, W) takes its statistics over
    the image and its chunk's reference stacked along the height; the reference itself stays bit-identical.

    StyleAligned's `share_group_norm` (the authors' code stacks along the second last dimension).
    A mode of torch's dispatch ends with its scope, so no module, hook or weight is changed.
    """

    def __init__(self, rows: Rows, reference: int) -> None:
        super().__init__()
        self.rows = rows
        self.reference = reference

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func is functional.group_norm:
            return self._group_norm(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _group_norm(self, input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if input.ndim != 4 or input.shape[0] != self.rows.total:
            return functional.group_norm(input, *args, **kwargs)
        images, height = self.rows.split(input), input.shape[-2]  # (chunks, images, C, H, W)
        before, own, behind = images.split((self.reference, 1, images.shape[1] - self.reference - 1), dim=1)
        others = behind if not before.shape[1] else torch.cat([before, behind], dim=1)
        stacked = torch.cat([others, own.expand_as(others)], dim=-2)
        shared = functional.group_norm(stacked.flatten(0, 1), *args, **kwargs)[..., :height, :]
        shared = shared.unflatten(0, others.shape[:2])
        plain = functional.group_norm(own.flatten(0, 1), *args, **kwargs).unflatten(0, own.shape[:2])
        parts = [shared[:, : self.reference], plain, shared[:, self.reference :]]
        return torch.cat(parts, dim=1).flatten(0, 1)
