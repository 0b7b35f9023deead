"""Inputs of Bounded Attention alone: where and how long, outlines, and the length of its shifts."""

from typing import Any

from comfy_api.latest import io

from ...attention_patches.contract.schedule import PercentRange
from ...attention_patches.methods.bounded_attention.guidance import (
    GUIDANCE_PRESET,
    BoundedGuidance,
    StepSizes,
)
from ...attention_patches.methods.bounded_attention.method import BOUNDED_PRESET
from ..host.families.family import ANY_SIZE, Family
from ..inputs.model_inputs import LAYERS

PAPER = BoundedGuidance()
AUTO = "auto"
FOR_THE_MODEL = -1.0  # a number: what is known to be good for this kind of model


def bounds_inputs() -> list[Any]:
    """Where and how long attention is bounded."""
    return [
        io.String.Input(
            "layers",
            default=AUTO,
            advanced=True,
            tooltip=(
                f"Transformer layers to bound, comma-separated: {LAYERS}. auto: all of a U-Net (paper); of a "
                "transformer those that are published for it (Flux.1: every other block)."
            ),
        ),
        io.Float.Input(
            "bounded_until",
            default=FOR_THE_MODEL,
            min=FOR_THE_MODEL,
            max=1.0,
            step=0.01,
            optional=True,
            advanced=True,
            tooltip=(
                "Until this percent of the noise schedule attention is bounded and the run guided; -1: to "
                "the end with U-Nets (paper), 0.4 with transformers (as regional prompts for Flux)."
            ),
        ),
    ]


def bounded_during(family: Family, until: float) -> PercentRange:
    """When the method works; negative: as long as is known to be good for the family."""
    if until >= 0:
        return PercentRange(0.0, until)
    preset = family.presets(ANY_SIZE).get(BOUNDED_PRESET)
    return PercentRange(0.0, 1.0 if preset is None else preset.until)


def refinement_inputs() -> list[Any]:
    """When and how the subjects' outlines are found."""
    return [
        io.Float.Input(
            "refine_from",
            default=0.3,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip=(
                "From this percent of the noise schedule on (0 is pure noise) the subjects' outlines are "
                "found in the picture itself and take the place of the boxes; 1: never. Paper: 0.3."
            ),
        ),
        io.Float.Input(
            "refine_every",
            default=0.1,
            min=0.001,
            max=1.0,
            step=0.001,
            tooltip=(
                "Then they are found anew after every such part of the schedule. Paper: 0.1 (5 of 50 steps)."
            ),
        ),
        io.Int.Input(
            "cluster_count_per_subject",
            default=3,
            min=1,
            max=16,
            advanced=True,
            tooltip=(
                "The picture is cut into so many parts for each subject, which then go to a subject or to "
                "the background. Paper: 3."
            ),
        ),
    ]


def step_size_inputs() -> list[Any]:
    """How far the latents are shifted, and for what."""
    return [
        _step_size(
            "first_step_size",
            "Length of the shifts where guidance begins; -1: the paper's for this kind of model, 18 for SDXL "
            "and 8 for SD1.5 and SD2; for transformers, of which no paper speaks, SDXL's. The paper goes up "
            "to 25. Too much shows as garish colours, grain.",
        ),
        _step_size(
            "last_step_size",
            "To which length they fall, in a straight line until guidance ends; -1: the paper's, 5 for SDXL "
            "and 2 for SD1.5 and SD2; for transformers SDXL's.",
        ),
        *(
            io.Float.Input(
                f"{kind}_weight",
                default=weight,
                min=0.0,
                max=100.0,
                step=0.1,
                advanced=True,
                tooltip=f"Weight of {kind}-attention ({what}) in the loss. Paper: {weight}.",
            )
            for kind, what, weight in (
                ("cross", "words", PAPER.cross_weight),
                ("self", "shapes", PAPER.self_weight),
            )
        ),
    ]


def _step_size(name: str, tooltip: str) -> Any:
    return io.Float.Input(
        name, default=FOR_THE_MODEL, min=FOR_THE_MODEL, max=1000.0, step=0.5, tooltip=tooltip
    )


def chosen_step_sizes(family: Family, first: float, last: float) -> StepSizes | None:
    """The step sizes as given; None, the authors' for the kind of model, where neither is."""
    if first < 0 and last < 0:
        return None
    authors = family.presets(ANY_SIZE)[GUIDANCE_PRESET].step_sizes
    chosen = [own if given < 0 else given for own, given in zip(authors, (first, last), strict=True)]
    return chosen[0], chosen[1]
