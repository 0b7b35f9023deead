"""A list of everything a patch could leave behind, as values that can be compared."""

from dataclasses import dataclass
from typing import Any

import comfy.ldm.modules.attention
import comfy.model_base
import comfy.samplers
import torch

HOST_FUNCTIONS = (
    (comfy.ldm.modules.attention, "optimized_attention"),
    (comfy.ldm.modules.attention, "optimized_attention_masked"),
    (comfy.samplers, "calc_cond_batch"),
    (comfy.samplers, "sampling_function"),
    (comfy.model_base.BaseModel, "apply_model"),
    (torch.nn.functional, "group_norm"),
    (torch.nn.functional, "scaled_dot_product_attention"),
    (torch.nn.GroupNorm, "forward"),
)


@dataclass(frozen=True)
class Inventory:
    """`code`: modules, their hooks and the host's functions. `options`: the model's own."""

    code: Any
    options: Any


def inventory(patcher: Any) -> Inventory:
    modules = [
        (name, id(type(module)), id(type(module).forward), sorted(vars(module)), _hooks(module))
        for name, module in patcher.model.named_modules()
    ]
    functions = [id(getattr(owner, name)) for owner, name in HOST_FUNCTIONS]
    return Inventory((modules, functions), _frozen(patcher.model_options))


def _hooks(module: torch.nn.Module) -> tuple[int, ...]:
    names = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return tuple(id(hook) for name in names for hook in vars(module)[name].values())


def _frozen(value: Any) -> Any:
    """Containers by content, everything else by identity."""
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_frozen(item) for item in value]
    return id(value)
