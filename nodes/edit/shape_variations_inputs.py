"""The inputs of ShapeVariations."""

from typing import Any

from comfy_api.latest import io

from ...attention_patches.contract.schedule import PercentRange
from ..host.text.proxy_words import CHOSEN
from ..inputs.model_inputs import model_input
from ..inputs.sampling_inputs import percent_input
from ..inputs.segment_inputs import clustering_seed_input, label_threshold_input, segments_input
from .prompts.object_prompt import ObjectPrompt


def inputs() -> list[Any]:
    """All of them, in the order of the node."""
    return [model_input(), *_prompts(), *_times(), *_objects(), *_background()]


def fault_in(prompt: str | None, shape_from: float | None, shape_until: float | None) -> str | None:
    """What can be said of these inputs before anything runs; None of each that it is connected."""
    try:
        ObjectPrompt.read("{-}" if prompt is None else prompt)
        if shape_from is not None and shape_until is not None:
            shape_range(shape_from, shape_until)
    except ValueError as error:
        return str(error)
    return None


def shape_range(shape_from: float, shape_until: float) -> PercentRange:
    """Where values are the proxies'. Raises ValueError if the end comes before the start."""
    if shape_from > shape_until:
        raise ValueError(
            f"shape_from {shape_from:g} comes after shape_until {shape_until:g}. Swap them, or make them "
            "equal, which gives the original in every image."
        )
    return PercentRange(shape_from, shape_until)


def _prompts() -> list[Any]:
    return [
        io.Clip.Input(
            "clip",
            tooltip=(
                "Its text encoder: SD1.5, SD2 or SDXL; with Cosmos-Predict2, Anima and Wan proxies have to "
                "be written."
            ),
        ),
        io.String.Input(
            "prompt",
            multiline=True,
            tooltip=(
                "What is in the picture, with the word of the object in braces: a {basket} of apples. "
                "Weights such as ({basket}:1.2) work."
            ),
        ),
        io.String.Input(
            "proxies",
            multiline=True,
            tooltip=(
                "One word per line, one image each: what the object takes its shape from. Empty: found among "
                "the words of the text encoder, the nearest to the object's in this prompt (as in the paper)."
            ),
        ),
        io.Int.Input(
            "count",
            default=4,
            min=1,
            max=CHOSEN,
            tooltip="How many proxies are found, if none are written. Paper: 20.",
        ),
        io.Latent.Input(
            "latent",
            tooltip="Where all images start: an empty latent, or one picture for img2img.",
        ),
    ]


def _times() -> list[Any]:
    return [
        percent_input(
            "shape_from",
            0.14,
            "Until this percent of the noise schedule (0 is pure noise) the layout forms as the prompt says; "
            "lower: more of it moves. Paper: 0.14, 7 of 50 steps.",
        ),
        percent_input(
            "shape_until",
            0.34,
            "Until this percent of the noise schedule the shape forms as the proxy says, and then details as "
            "the prompt does; higher: more of the proxy's looks. Paper: 0.34, 17 of 50 steps.",
        ),
    ]


def _objects() -> list[Any]:
    return [
        io.String.Input(
            "keep_objects",
            default="",
            multiline=True,
            tooltip=(
                "Other words of the prompt whose objects keep their shapes, one per line or comma, by the "
                "original's self-attention. Empty: none. Paper: none."
            ),
        ),
        percent_input(
            "keep_until",
            0.8,
            "Until this percent of the noise schedule those objects are kept. Paper: 0.8, 40 of 50 steps.",
            advanced=True,
        ),
        io.Float.Input(
            "keep_threshold",
            default=0.05,
            min=0.0,
            max=1.0,
            step=0.01,
            advanced=True,
            tooltip=(
                "A cell belongs to a word where some head gives it more than this, from the least (0) to the "
                "greatest value (1) of all words and heads of a layer; lower: more cells, also of the varied "
                "object, which are free. Paper: 0.05."
            ),
        ),
    ]


def _background() -> list[Any]:
    return [
        io.Boolean.Input(
            "keep_background",
            default=True,
            tooltip=(
                "Puts the original's background into each variation, once, by masks that are found in the "
                "attention of both. Paper: on."
            ),
        ),
        io.String.Input(
            "background_words",
            default="",
            multiline=True,
            tooltip=(
                "Words of the prompt that name background, one per line or comma: stairs, sky. What is "
                "labelled with another word may change; what has no label is background anyway."
            ),
        ),
        percent_input(
            "blend_at",
            0.7,
            "Behind the step at this percent of the noise schedule the background is put in; later keeps "
            "more of it, earlier blends better. Paper: 0.7, 35 of 50 steps.",
        ),
        segments_input(advanced=True),
        label_threshold_input(
            "A segment whose best word scores below this is background. Paper: 0.3.", advanced=True
        ),
        clustering_seed_input(),
    ]
