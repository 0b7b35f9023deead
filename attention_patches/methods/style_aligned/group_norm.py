"""GroupNorm whose statistics span an image and a reference, without touching the modules that call it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ...contract.site import Rows


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
        plain = functional.group_norm(input, *args, **kwargs)
        if input.ndim != 4 or input.shape[0] != self.rows.total:
            return plain
        images = self.rows.split(input)  # (chunks, images, C, H, W)
        own = slice(self.reference, self.reference + 1)
        stacked = torch.cat([images, images[:, own].expand_as(images)], dim=-2)
        shared = functional.group_norm(stacked.flatten(0, 1), *args, **kwargs)
        shared = shared[..., : input.shape[-2], :].contiguous()
        self.rows.split(shared)[:, own] = self.rows.split(plain)[:, own]
        return shared
