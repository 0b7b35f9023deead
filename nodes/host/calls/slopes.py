"""A call of the model with a gradient, under a host that computes everything in inference mode.

The host's bookkeeping (conditionings, hooks, ControlNets) stays as it is. Only the forward pass itself leaves
inference mode, and gives its gradient in place of its output, so the host adds up what several conditionings
say as it does with pictures. Weights are never touched: autograd keeps views of them, or copies of what the
host only lends. Every layer that the family can checkpoint is computed without a graph, and once more in the
backward pass, so that activations and copies of one layer at a time are held; others are held until the last
layer that is looked at.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar

import comfy.model_management
import torch
from comfy.ldm.modules.attention import attention_pytorch
from torch import Tensor

from ....attention_patches.contract.attention_part import Attend, AttentionPart, Order
from ....attention_patches.contract.call.qkv import QKV
from ....attention_patches.contract.call.site import Site
from ....attention_patches.contract.objective import LayerAttention, Objective, Slope
from ..families.family import Family
from ..reached import Reached
from ..recorded_graph import recorded_graph
from .inside.model_call import ModelCall
from .passes import RunModel

LARGEST_SCALE = 2.0**8  # keeps small gradients above the smallest float16; exact, so harmless elsewhere


@dataclass
class LossScale:
    """Of one run: halved for good where a gradient has overflowed in half precision."""

    value: float = LARGEST_SCALE

    def halve(self) -> bool:
        """Whether there is a smaller one."""
        self.value /= 2
        return self.value >= 1


@dataclass
class Measuring:
    """Stands innermost, where the attention is as all others have made it; ends the pass at its last
    place."""

    order: ClassVar[Order] = "observe"
    objective: Objective
    measured: dict[LayerAttention, Tensor] = field(default_factory=dict)

    def wants(self, site: Site) -> bool:
        return (site.layer.ordinal, site.kind) in self.objective.order

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        place = (site.layer.ordinal, site.kind)
        self.measured[place] = self.objective.measure(site, qkv)
        if place == self.objective.order[-1]:
            raise Reached
        return attend(qkv)


@dataclass(eq=False)
class SlopePass:
    """A gradient in the making: how the calls of the model are made, and what they have given."""

    family: Family
    objective: Objective
    part: AttentionPart | None
    scale: LossScale
    losses: list[Tensor] = field(default_factory=list)  # (images,) of each call of the model

    def __post_init__(self) -> None:
        self.measuring = Measuring(self.objective)

    @property
    def parts(self) -> list[AttentionPart]:
        """Who sees the attention of this pass."""
        return [self.measuring, *([] if self.part is None else [self.part])]

    def result(self, gradient: Tensor) -> Slope | None:
        """Of all calls together; several conditionings of one prompt are averaged, as the host does."""
        if not self.losses:
            return None
        return Slope(torch.stack(self.losses).mean(0), gradient)

    def __call__(self, call: ModelCall, x: Tensor, options: dict[str, Any], forward: RunModel) -> Tensor:
        """In place of one call of the model on x (rows, C, h, w): the gradient, of the same shape."""
        comfy.model_management.throw_exception_if_processing_interrupted()
        if not call.seeing:
            return torch.zeros_like(x)
        call.forced = attention_pytorch
        options = self.family.checkpointed(call.options(options), self.measuring.measured)
        while True:
            with torch.inference_mode(False), torch.enable_grad():
                try:
                    gradient = self._gradient(call, x, options, forward)
                except NotImplementedError as error:
                    raise ValueError(_NO_GRADIENT.format(error)) from error
                except RuntimeError as error:
                    if not _of_autograd(error):
                        raise
                    raise ValueError(_NO_GRADIENT.format(error)) from error
                finally:
                    self.measuring.measured.clear()
                    call.forward.visits.clear()  # a second try counts them anew
            if gradient is not None:
                return gradient
            if not self.scale.halve():
                raise ValueError(_OVERFLOW)

    def _gradient(
        self, call: ModelCall, x: Tensor, options: dict[str, Any], forward: RunModel
    ) -> Tensor | None:
        """None if it overflows."""
        leaf = x.clone().requires_grad_()
        with suppress(Reached), recorded_graph():
            forward(leaf, options)
        call.leave()
        measured, images = self.measuring.measured, call.rows.images
        if not measured:
            return torch.zeros_like(leaf)
        losses = self.objective.loss(dict(measured), images)
        if not losses.isfinite().all():
            raise ValueError(_NOT_A_NUMBER)
        if losses.requires_grad:  # else no image has a subject
            # through `backward`, since checkpoints know no other way; only the leaf asks for a gradient
            (losses.sum() * self.scale.value).backward()
            if leaf.grad is None or not leaf.grad.isfinite().all():
                return None
        self.losses.append(losses.detach().unflatten(0, (-1, images)).mean(0))
        return torch.zeros_like(leaf) if leaf.grad is None else leaf.grad / self.scale.value


def _of_autograd(error: RuntimeError) -> bool:
    """Whether an error says that a model cannot be differentiated, and is no fault of other code on the
    way."""
    words = (
        "does not require grad",
        "derivative",
        "autograd",
        "inference tensor",
        "Inference tensor",
        "backward",
    )
    text = str(error)
    return not isinstance(error, torch.OutOfMemoryError) and any(word in text for word in words)


_NO_GRADIENT = (
    "model: guidance needs gradients, and the host could not compute them for this model: {}. Models in "
    "float16, bfloat16 or float32 work; quantised formats may not. Load such a checkpoint, or set "
    "guidance_until to 0."
)
_OVERFLOW = (
    "model: the gradient of the guidance overflows in half precision, however it is scaled. Load the model "
    "in bfloat16 or float32, or set guidance_until to 0."
)
_NOT_A_NUMBER = (
    "model: its attention is not a number (NaN), so guidance has nothing to follow. Sample without guidance "
    "to see whether the pictures are black; another precision or VAE, or a repaired checkpoint, may help."
)
