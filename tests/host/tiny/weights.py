"""Random weights under which every part of a network matters."""

from typing import Any

import torch
from torch import nn

DRAWN = 1_000_003  # numbers of a parameter; a larger one repeats them, as drawing takes long


def fill_randomly(module: nn.Module, seed: int, alike: bool = False) -> None:
    """Fill every parameter from `seed`, in float32 whatever its dtype, so that no path is switched off.

    Trained-from-zero layers (last convolutions, `proj_out`) get ordinary weights too, biases and norms are
    not neutral, and queries and keys are large enough that attention prefers some keys to others. The ends of
    residual branches are halved, so that rounding errors do not grow from layer to layer.

    With `alike` parameters of one shape and spread are the same and share their memory: a large network has
    gigabytes, which take seconds to touch for the first time.
    """
    made: dict[Any, torch.Tensor] = {}
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            mean, deviation = _spread(name, parameter.shape)
            if alike and (kept := made.get((parameter.shape, mean, deviation))) is not None:
                parameter.data = kept
                continue
            made[parameter.shape, mean, deviation] = parameter.data
            drawn = torch.empty(min(parameter.numel(), DRAWN)).normal_(mean, deviation, generator=generator)
            for part in parameter.view(-1).split(DRAWN):
                part.copy_(drawn[: part.numel()])


def _spread(name: str, shape: torch.Size) -> tuple[float, float]:
    """Mean and deviation of a parameter."""
    if len(shape) < 2:
        scale_of_norm = name.endswith("weight")
        return (1.0, 0.2) if scale_of_norm else (0.0, 0.1)
    if "embedding" in name:
        return 0.0, 0.5
    fan_in = shape[1:].numel()
    return 0.0, _gain(name) / fan_in**0.5


def _gain(name: str) -> float:
    if name.endswith(("to_q.weight", "to_k.weight")):
        return 1.5
    residual_ends = ("proj_out.weight", "to_out.0.weight", "net.2.weight", "out_layers.3.weight")
    return 0.5 if name.endswith(residual_ends) else 1.0
