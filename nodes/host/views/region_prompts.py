"""The prompts of regions in a run: they stand in the guider beside its own, and the host prepares them."""

from collections.abc import Mapping, Sequence
from typing import Any

from comfy.sampler_helpers import convert_cond

from ....attention_patches.contract.views import RegionPrompts
from ..facts.hinted_patches import hinted
from ..facts.region_texts import region_role
from .region_controls import CONTROLLED

REFUSED = {
    "area": "an area. A region has a mask: paint its place there",
    "gligen": "GLIGEN boxes, which hold for the whole picture. Leave them away",
    "mask": "a mask of its own. A region has a mask: paint its place there",
    "hooks": "hooks (a LoRA or a schedule of its own). Put the LoRA on the model instead",
}
WHOLE = {
    "gligen": REFUSED["gligen"],
    "attention_mask_img_shape": (
        "a style picture that is weighed by attention. Take `multiply` for the strength_type of Apply Style "
        "Model"
    ),
    "time_dim_concat": (
        "pictures beside its frame (Phantom), as large as the whole one, which a window cannot have. Leave "
        "them away"
    ),
}
"""What holds for the whole picture, and cannot be cut."""

Entries = Mapping[str, Sequence[dict[str, Any]] | None]


def region_entries(regions: Sequence[RegionPrompts]) -> dict[str, list[dict[str, Any]]]:
    """Entries for the guider by its names for them. Raises ValueError for what a region cannot have."""
    found = {}
    for number, region in enumerate(regions):
        for role, prompt in (("positive", region.positive), ("negative", region.negative)):
            if prompt is None:
                continue
            entries = [
                {**entry, "prompt_type": role, CONTROLLED: bool(entry.get("control"))}
                for entry in convert_cond(prompt)
            ]
            _check(entries, f"regions: the {role} of region {number + 1}", {**WHOLE, **REFUSED})
            found[region_role(number, role)] = entries
    return found


def check_viewed(conds: Entries) -> None:
    """Raises ValueError if one of these cannot be cut to views."""
    for role, entries in conds.items():
        _check(entries or (), role, WHOLE)


def check_patches(options: Mapping[str, Any]) -> None:
    """Raises ValueError if something on the model, by its transformer options, cannot be cut to views."""
    if hints := hinted(options.get("patches", {})):
        raise ValueError(
            f"model: a ControlNet stands on it ({', '.join(hints)}), which would see its whole hint in each "
            "window. Take one that goes into the prompts (Apply ControlNet), or leave MultiDiffusion away."
        )


def check_guidance(model_options: Mapping[str, Any]) -> None:
    """Raises ValueError for guidance that would take one window's attention for the whole picture's."""
    for function in model_options.get("sampler_post_cfg_function", ()):
        if getattr(function, "__qualname__", "").startswith("SelfAttentionGuidance."):
            raise ValueError(
                "model: Self-Attention Guidance goes by the attention of the whole picture, and with "
                "MultiDiffusion the model sees windows. Take Perturbed-Attention Guidance in its place, or "
                "leave one of the two away."
            )


def _check(entries: Sequence[dict[str, Any]], name: str, refused: Mapping[str, str]) -> None:
    for key, why in refused.items():
        if any(entry.get(key, False) is not False for entry in entries):
            raise ValueError(f"{name} has {why}, or leave MultiDiffusion away.")
