"""The host's model under a noise mask: whose latents a call is for, and what the mask leaves out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ....attention_patches.contract.method import LeftOut
from ..frames import as_video

STATE = "attention_control_state"
"""Where the sampler's own latents travel in the options of a call in which the guider gets others."""


@dataclass(frozen=True, eq=False)
class MaskedState:
    """The sampler's own latents (B, C, h, w) in a call, and where they may change."""

    latents: Tensor
    mask: Tensor | None


def masked_state(model_options: Mapping[str, Any]) -> MaskedState | None:
    """What travels in the options of a call."""
    state: MaskedState | None = model_options.get(STATE)
    return state


@dataclass(frozen=True, eq=False)
class Masked:
    """A function of the host's samplers, whose noise mask leaves out what a part knows; None leaves that to
    the host."""

    function: Any
    part: LeftOut | None

    def __call__(self, model: Any, x: Tensor, sigmas: Tensor, *args: Any, **named: Any) -> Tensor:
        if self.part is not None and not x.any():
            # a flow keeps nothing of the latents that it is given at its highest level
            x = _left_out(self.part, float(sigmas[0]), x).expand_as(x).clone()
        out: Tensor = self.function(MaskedModel(model, self.part), x, sigmas, *args, **named)
        return out


class MaskedModel:
    """The host's masked model, which tells whose latents a call is for."""

    def __init__(self, model: Any, part: LeftOut | None) -> None:
        self.model = model
        self.part = part

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def __call__(self, x: Tensor, sigma: Tensor, denoise_mask: Any, *rest: Any, **named: Any) -> Tensor:
        options, mask = named.get("model_options", {}), denoise_mask
        if "denoise_mask_function" in options:
            further = {"model": self.model.inner_model, "sigmas": self.model.sigmas}
            mask = options["denoise_mask_function"](sigma, mask, extra_options=further)
        named["model_options"] = {**options, STATE: MaskedState(x, mask)}
        if self.part is None or mask is None:
            out: Tensor = self.model(x, sigma, denoise_mask, *rest, **named)
            return out
        stays, picture = (_left_out(self.part, level, x) for level in (float(sigma[0]), 0.0))
        expected = self.model(x * mask + stays * (1 - mask), sigma, None, *rest, **named)
        return expected * mask + picture * (1 - mask)


def _left_out(part: LeftOut, sigma: float, like: Tensor) -> Tensor:
    """In the host's own form."""
    return as_video(part.left_out(sigma), like).to(like)
