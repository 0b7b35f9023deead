"""A further prompt as a part of the negative, and whether a guider looks at the negative at all."""

from collections.abc import Mapping, Sequence
from math import isclose
from typing import Any

import torch
from comfy.samplers import CFGGuider
from torch import Tensor

from ..facts.entry_weights import Conditioning, holds, rest, summed

PUSHED = "attention_control_pushed"  # in an entry that is a further prompt: how large a part of the negative
BESIDE = "attention_control_beside"  # and the identity of the entry whose ControlNet it has, if that has one
AS_DEFAULT = ("default", "strength", "mask_strength")


def looks_at_negative(guider: Any, options: Mapping[str, Any]) -> bool:
    """Whether what stands as the guider's negative in a call counts. It does not where its scale leaves it
    out, nor where another model looks at it, which has conditionings of its own."""
    if hasattr(guider, "uncond_model_patcher"):  # Dual Model CFG Guider
        return False
    if options.get("disable_cfg1_optimization", False):
        return True
    if hasattr(guider, "cfg2"):  # Dual CFG Guider
        return not isclose(guider.cfg2, 1.0)
    if hasattr(guider, "neg_scale"):  # Perp-Neg Guider
        return not isclose(guider.neg_scale, 0.0)
    plain = getattr(type(guider), "predict_noise", None) is CFGGuider.predict_noise
    return not (plain and isclose(guider.cfg, 1.0))


def pushed_into(
    negative: Sequence[Conditioning],
    prompt: Sequence[Conditioning],
    weight: float,
    x: Tensor,
    timestep: Tensor,
) -> list[Conditioning]:
    """The negative on latents x (B, C, ..., H, W), so large a part of which is a prompt for all of it, under
    the same ControlNet.

    The host averages what its entries say by what each weighs in a cell. So the prompt weighs there as much
    of the sum of the others as they leave; where none of them holds it is alone.
    """
    prompt = _beside(negative, prompt, timestep)
    if weight >= 1:
        return _as_part(prompt, 1.0)
    x = x[: max(len(entry["mask"]) if "mask" in entry else 1 for entry in negative)]
    left = rest(negative, x, timestep)
    defaults = [entry for entry in negative if "default" in entry and holds(entry, timestep)]
    total = summed(negative, x, timestep) + len(defaults) * left
    of_prompt = weight * torch.where(total > 0, total, 1.0)
    return [
        *(_weighed(entry, 1 - weight) for entry in negative if "default" not in entry),
        *(_in_cells(entry, left, 1 - weight) for entry in defaults if left.any()),
        *({**entry, "mask": of_prompt} for entry in _as_part(prompt, weight)),
    ]


def _beside(
    negative: Sequence[Conditioning], prompt: Sequence[Conditioning], timestep: Tensor
) -> list[Conditioning]:
    """The entries of a prompt with the ControlNet of the negative now: that of its first entry with one."""
    now = [entry for entry in negative if holds(entry, timestep)] or negative
    first = next((entry for entry in now if entry.get("control")), now[0])
    own = {BESIDE: first.get(BESIDE, first["uuid"]), "control": first.get("control")}
    return [{**entry, **own} for entry in prompt]


def _as_part(prompt: Sequence[Conditioning], weight: float) -> list[Conditioning]:
    """The entries of a prompt, which weigh 1 together."""
    own = {"strength": 1.0 / len(prompt), PUSHED: weight}
    return [{**entry, **own} for entry in prompt]


def _weighed(entry: Conditioning, weight: float) -> Conditioning:
    return {**entry, "strength": entry.get("strength", 1.0) * weight}


def _in_cells(entry: Conditioning, cells: Tensor, weight: float) -> Conditioning:
    """An entry that holds where nobody else does, with these as what it weighs in each cell."""
    kept = {key: value for key, value in entry.items() if key not in AS_DEFAULT}
    return {**kept, "mask": cells, "strength": weight}
