"""One forward pass with a gradient, under a host that computes everything in inference mode.

The host's bookkeeping (conditionings, hooks, ControlNets) stays as it is. Only the forward pass itself leaves
inference mode, and gives its gradient in place of its output, so the host adds up what several conditionings
say as it does with pictures. Weights are never touched: autograd keeps views of them, or copies of what the
host only lends. Every layer of the U-Net is checkpointed: computed without a graph, and once more in the
backward pass, so that activations and copies of one layer at a time are held.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import comfy.model_management
import comfy.samplers
import torch
from comfy.ldm.modules.attention import SpatialTransformer, attention_pytorch
from comfy.ldm.modules.diffusionmodules.openaimodel import forward_timestep_embed
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint

from ....attention_patches.contract.method import Attend, Patch
from ....attention_patches.contract.objective import Objective, Place, Slope
from ....attention_patches.contract.qkv import QKV
from ....attention_patches.contract.report import Tally
from ....attention_patches.contract.site import Site
from .model_call import KEY, ModelCall

LOSS_SCALE = 2.0**8  # keeps small gradients above the smallest float16; exact, so harmless elsewhere
LAYER_PATCH = "forward_timestep_embed_patch"


class _Reached(BaseException):
    """The last layer of an objective has been measured. No `except Exception` on the way may stop it."""


@dataclass(frozen=True, kw_only=True)
class _Measuring(Patch):
    """Stands innermost, where the attention is as all others have made it."""

    observes = True
    objective: Objective
    measured: dict[Place, Tensor] = field(default_factory=dict)

    def wants(self, site: Site) -> bool:
        return (site.layer.ordinal, site.kind) in self.objective.order

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        place = (site.layer.ordinal, site.kind)
        self.measured[place] = self.objective.measure(site, qkv)
        if place == self.objective.order[-1]:
            raise _Reached
        return attend(qkv)


class SlopePass:
    """A gradient in the making: which patch it is for, and what the calls of the model have given."""

    def __init__(self, owner: Patch, patch: Patch, objective: Objective, size: torch.Size) -> None:
        self.owner = owner
        self.size = size  # (height, width) of the latents
        self.objective = objective
        self.measuring = _Measuring(objective=objective)
        self.patches = (self.measuring, patch)
        self.losses: list[Tensor] = []  # (images,) of each call of the model

    def active(self, working: Sequence[tuple[Patch, Tally]]) -> list[tuple[Patch, Tally]]:
        """The patches of this pass, on the owner's account."""
        tally = next(tally for patch, tally in working if patch is self.owner)
        return [(patch, tally) for patch in self.patches]

    def result(self, gradient: Tensor) -> Slope | None:
        """Of all calls together; several conditionings of one prompt are averaged, as the host does."""
        if not self.losses:
            return None
        return Slope(torch.stack(self.losses).mean(0), gradient)

    def __call__(
        self,
        executor: Any,
        call: ModelCall,
        x: Tensor,
        t: Tensor,
        c_concat: Any,
        c_crossattn: Any,
        control: Any,
        options: dict[str, Any],
        **kwargs: Any,
    ) -> Tensor:
        """In place of one forward pass of the model on x (rows, C, h, w): the gradient, of the same shape."""
        comfy.model_management.throw_exception_if_processing_interrupted()
        if not call.active or x.shape[-2:] != self.size:  # cut by another pack, or by an area of the prompt
            return torch.zeros_like(x)
        call = replace(call, forced=attention_pytorch)
        ours = {KEY: call, "optimized_attention_override": call.override}
        patches = {**options.get("patches", {})}
        layers = _Layers(self.measuring.measured)
        patches[LAYER_PATCH] = [(torch.nn.Module, layers), *patches.get(LAYER_PATCH, [])]
        options = {**options, **ours, "patches": patches}
        with torch.inference_mode(False), torch.enable_grad():
            leaf = x.clone().requires_grad_()
            try:
                self._measure(lambda: executor(leaf, t, c_concat, c_crossattn, control, options, **kwargs))
                call.leave()
                return self._backward(leaf, call.rows.images)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:
                raise ValueError(_NO_GRADIENT.format(error)) from error
            finally:
                self.measuring.measured.clear()

    def _measure(self, forward: Any) -> None:
        # copies, as other packs write into what they have multiplied (FreeU); within layers none are made
        with suppress(_Reached), PrivateWeights(), saved_tensors_hooks(torch.clone, lambda kept: kept):
            forward()

    def _backward(self, leaf: Tensor, images: int) -> Tensor:
        measured = self.measuring.measured
        if not measured:
            return torch.zeros_like(leaf)
        losses = self.objective.loss(dict(measured), images)
        self.losses.append(losses.detach().unflatten(0, (-1, images)).mean(0))
        steep = losses.detach() > self.objective.target
        if not steep.any():
            return torch.zeros_like(leaf)
        # through `backward`, since checkpoints know no other way; only the leaf asks for a gradient
        ((losses * steep).sum() * LOSS_SCALE).backward()
        assert leaf.grad is not None
        if not leaf.grad.isfinite().all():
            raise RuntimeError("the gradient overflows in half precision")
        return leaf.grad / LOSS_SCALE


_NO_GRADIENT = (
    "model: guidance needs gradients, and the host could not compute them for this model: {}. Models in "
    "float16, bfloat16 or float32 work; quantised formats may not. Load such a checkpoint, or set the "
    "guidance to 0 steps."
)


def positive_pass(
    guider: Any, latents: Tensor, timestep: Tensor, model_options: Any = None, *rest: Any, **named: Any
) -> Tensor:
    """One call of the model under the guider's positive prompt alone, on the first device alone."""
    options = dict(named.get("model_options", model_options) or {})
    options.pop("multigpu_clones", None)
    positive = guider.conds.get("positive")
    if not positive:
        names = ", ".join(guider.conds)
        raise ValueError(
            f"the guider has no prompt called 'positive', but {names}; guidance follows the positive prompt. "
            "Use KSampler, SamplerCustom, CFGGuider or BasicGuider."
        )
    (gradient,) = comfy.samplers.calc_cond_batch(guider.inner_model, [positive], latents, timestep, options)
    return gradient


class _Layers:
    """A `forward_timestep_embed_patch` for every layer of the U-Net: checkpoints it."""

    def __init__(self, measured: dict[Place, Tensor]) -> None:
        self.measured = measured

    def __call__(
        self, layer: Any, x: Tensor, emb: Tensor, context: Any, options: dict[str, Any], *rest: Any
    ) -> Tensor:
        others = [entry for entry in options["patches"][LAYER_PATCH] if entry[1] is not self]
        patches = {name: patch for name, patch in options["patches"].items() if name != LAYER_PATCH}
        seen = {**options, "patches": patches | ({LAYER_PATCH: others} if others else {})}
        places: list[Place] = []
        reached = False

        def compute(h: Tensor) -> tuple[Tensor, ...]:
            """(the layer's output unless the pass ends in it, what was measured in it...)"""
            nonlocal reached
            self.measured.clear()
            out: tuple[Tensor, ...] = ()
            try:
                with PrivateWeights():
                    out = (forward_timestep_embed([layer], h, emb, context, dict(seen), *rest),)
            except _Reached:
                reached = True
            places[:] = self.measured
            return (*out, *self.measured.values())

        before = dict(self.measured)
        if x.requires_grad:
            # a copy, because ControlNets and other packs change skip connections in place
            outputs = checkpoint(compute, x.clone(), use_reentrant=True, preserve_rng_state=False)
        else:
            outputs = compute(x)
        self.measured.clear()
        self.measured.update(before)
        self.measured.update(zip(places, outputs[len(outputs) - len(places) :], strict=True))
        if reached:
            raise _Reached
        if isinstance(layer, SpatialTransformer):
            options["transformer_index"] += 1  # as the host counts them
        out: Tensor = outputs[0]
        return out


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
