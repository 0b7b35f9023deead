"""ControlNets that see the part of their hint that lies in a view of the picture."""

import copy
from dataclasses import replace
from typing import Any

import comfy.utils
import torch
from torch import Tensor

from ....attention_patches.contract.views import Cells

Size = tuple[int, int]


class CutControl:
    """Stands in a ControlNet's place in the conditionings of views, one for all views; chunk by chunk it lets
    a copy that has the chunk's part of the hint answer. The ControlNet itself is left as it is."""

    def __init__(self, control: Any) -> None:
        self.control = control
        self.copies: dict[tuple[Cells, Cells], Any] = {}
        self.scaled: dict[tuple[int, Cells], Tensor] = {}
        self.others: dict[Any, CutControl] = {}

    def get_instance_for_device(self, device: Any) -> "CutControl":
        """As the host asks for it where it has several devices."""
        own = self.control.get_instance_for_device(device)
        return self if own is self.control else self.others.setdefault(device, CutControl(own))

    def get_control(
        self, x_noisy: Tensor, t: Tensor, cond: dict[str, Any], batched_number: int, options: dict[str, Any]
    ) -> Any:
        """As the host asks for it: {place: [(B, C, h, w) or None]}, or None if it does not work now."""
        rows = len(x_noisy) // batched_number
        answers = []
        for chunk, (source, viewed) in enumerate(
            zip(options["cond_or_uncond"], options["uuids"], strict=True)
        ):
            own = slice(chunk * rows, (chunk + 1) * rows)
            one = self._copy(viewed.cells, viewed.extent)
            answers.append(
                one.get_control(
                    x_noisy[own],
                    t[own],
                    {name: _rows(value, own, len(x_noisy)) for name, value in cond.items()},
                    1,
                    {**options, "cond_or_uncond": [source], "uuids": [viewed]},
                )
            )
            _forget(one)
        return _joined(answers, rows)

    def _copy(self, cells: Cells, extent: Cells) -> Any:
        """The chain of ControlNets, for a part of the picture that lies in the hint's extent."""
        if (cells, extent) not in self.copies:
            inside = replace(cells, top=cells.top - extent.top, left=cells.left - extent.left)
            self.copies[cells, extent] = self._chain(self.control, inside, extent)
        return self.copies[cells, extent]

    def _chain(self, control: Any, cells: Cells, extent: Cells) -> Any:
        one = copy.copy(control)
        ratio = control.compression_ratio
        if control.vae is not None:
            ratio *= control.vae.spacial_compression_encode()
        pixels = Cells(*(side * ratio for side in (cells.top, cells.left, cells.height, cells.width)))
        width, height = extent.width * ratio, extent.height * ratio

        def cut(hint: Tensor) -> Tensor:
            key = id(hint), extent
            if key not in self.scaled:
                method = control.upscale_algorithm
                self.scaled[key] = comfy.utils.common_upscale(hint, width, height, method, "center")
            return pixels.cut(self.scaled[key])

        one.cond_hint_original = cut(control.cond_hint_original)
        one.extra_concat_orig = [cut(hint) for hint in control.extra_concat_orig]
        one.cond_hint = one.extra_concat = None
        if hasattr(one, "control_input"):
            one.control_input = None
        if control.previous_controlnet is not None:
            one.previous_controlnet = self._chain(control.previous_controlnet, cells, extent)
        return one


def _forget(control: Any) -> None:
    """What a copy has put on the device, unless it is small and dear: what an adapter has computed, or a VAE
    has encoded, once and for all."""
    while control is not None:
        if not hasattr(control, "control_input") and control.vae is None:
            control.cond_hint = None
        control = control.previous_controlnet


def _rows(value: Any, own: slice, total: int) -> Any:
    return value[own] if isinstance(value, Tensor) and value.ndim > 0 and len(value) == total else value


def _joined(answers: list[Any], rows: int) -> Any:
    """The residuals of all chunks, one behind the other; an adapter gives one row for all of a chunk."""
    first = answers[0]
    if first is None:
        return None
    return {
        place: [
            None
            if residuals[0] is None
            else torch.cat([x.expand(rows, *x.shape[1:]) if len(x) != rows else x for x in residuals])
            for residuals in zip(*(answer[place] for answer in answers), strict=True)
        ]
        for place in first
    }
