"""A guide: whose it is, where it is looked at, and under which prompt."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import comfy.samplers
import torch
from torch import Tensor

from ...attention_patches.contract.layers.preset import Preset
from ...attention_patches.guests.guide import Guide, NoisedPicture
from ...attention_patches.inversion.inversion import Inversion
from ...attention_patches.methods.plug_and_play.method import PLUGGED
from ..host.exchange import handed_on
from ..host.families import family_of
from ..host.walks.inversion_samplers import Replay
from ..host.walks.latents import as_latent, model_latent
from ..host.walks.model_identity import noise_path, require_model

STEPS = 50  # of a run whose guide has none of its own; Ctrl-X
AUTO = "auto"  # in place of layers
NOT_PLAIN = {
    "area": "an area",
    "mask": "a mask",
    "control": "a ControlNet",
    "hooks": "hooks (a LoRA)",
    "start_percent": "a range of the schedule",
    "end_percent": "a range of the schedule",
}
"""Keys of a conditioning that say more than which words, and what they are called."""


@dataclass(frozen=True)
class Walk:
    """A guide, what the report should say of it, and a run that begins as it does."""

    guide: Guide
    remark: str
    sampler: Any
    sigmas: Tensor
    start: Tensor  # as a LATENT holds it


def walk_of(given: Inversion | Mapping[str, Any], model: Any) -> Walk:
    """An inversion along its own steps, or a LATENT, which is noised afresh: from pure noise, in 50 steps of
    DDIM. Raises ValueError if it is another model's, or the model's states are of an unknown kind."""
    latent_format = model.get_model_object("latent_format")
    try:
        if isinstance(given, Inversion):
            note = require_model(given, model)
            start = as_latent(model, given.beginning())
            remark = f"Note: {note}." if note else ""
            return Walk(given, remark, Replay(given), given.levels(), handed_on(start))
        picture, path = model_latent(model, given), noise_path(model)
    except ValueError as error:
        raise ValueError(f"guide: {error}") from None
    return Walk(
        NoisedPicture(latent_format.process_in(picture), path=path),
        "The guide is a picture that was not inverted, with other noise at each step.",
        comfy.samplers.sampler_object("euler"),
        comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "ddim_uniform", STEPS),
        handed_on(torch.zeros_like(picture)),
    )


def guide_places(model: Any, guide: Guide, features: str, attention: str) -> Preset:
    """Layers and blocks by ordinal, in the family's two maps.

    Raises ValueError for places that the model does not have, or where the family has none of its own.
    """
    family = family_of(model)
    height, width = guide.picture.shape[-2:]
    authors = family.presets((height, width)).get(PLUGGED, Preset(frozenset()))
    maps = {"feature_layers": family.residual_map(), "attention_layers": family.layer_map()}
    own = {"feature_layers": authors.residuals, "attention_layers": authors.layers}
    chosen = {}
    for name, text in (("feature_layers", features), ("attention_layers", attention)):
        if text.strip() != AUTO:
            chosen[name] = maps[name].parse(text, name)
        elif own[name]:
            chosen[name] = own[name]
        else:
            raise ValueError(
                f"{name}: {PLUGGED} has no layers of its own for this model ({family.name}). Name them; it "
                f"has {maps[name].describe() or 'none'}."
            )
    return Preset(chosen["attention_layers"], residuals=chosen["feature_layers"])


def plain_prompt(name: str, conditioning: Any, guide: Guide) -> Any:
    """A CONDITIONING that is one prompt for the whole of the guide, or None.

    Raises ValueError for any other.
    """
    if conditioning is None:
        return None
    if len(conditioning) != 1:
        raise ValueError(
            f"{name} holds {len(conditioning)} prompts, and the guide is seen under one. Connect one "
            "CLIP Text Encode, for example an empty one."
        )
    vectors, more = conditioning[0]
    if found := sorted({word for key, word in NOT_PLAIN.items() if key in more}):
        raise ValueError(
            f"{name} has {' and '.join(found)}, and the guide is seen whole, at each step, by the "
            "plain model. Connect CLIP Text Encode directly."
        )
    rows = vectors.shape[0] if isinstance(vectors, Tensor) else 1
    if rows not in (1, guide.images):
        raise ValueError(
            f"{name} has {rows} rows, and guide {guide.images} pictures: possible is 1 row for all, or "
            "one for each picture."
        )
    return conditioning
