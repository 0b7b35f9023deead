"""Inputs of the nodes that guide subjects into places."""

from dataclasses import replace
from typing import Any

from comfy_api.latest import io

from ...attention_patches.layout.regions import Layout
from ..host.text.one_length import Entry
from ..host.text.prompt_identity import encode_own
from ..inputs.model_inputs import model_input
from .layout_inputs import LayoutInputs, layout_inputs


def own_layout(given: LayoutInputs, clip: Any, prompt: str) -> tuple[Layout, list[Entry]]:
    """The layout of a prompt that the node encodes itself, and the CONDITIONING by which a run knows it."""
    layout = given.read(clip, prompt)
    conditioning, identity = encode_own(clip, prompt)
    return replace(layout, prompt=identity), conditioning


def guided_layout_inputs(until: float) -> list[Any]:
    """Model, prompt and layout, and how much of the schedule is guided (until the paper's percent)."""
    return [
        model_input(),
        io.Clip.Input("clip", tooltip="The text encoder of the model."),
        io.String.Input(
            "prompt",
            multiline=True,
            dynamic_prompts=True,
            tooltip="One prompt for the whole picture; it holds the phrase of every box.",
        ),
        *layout_inputs(),
        *effort_inputs(until),
    ]


def bypass_input() -> Any:
    """A CONDITIONING that the host hands on while the node is bypassed; else nobody asks for it."""
    return io.Conditioning.Input(
        "positive",
        optional=True,
        lazy=True,
        tooltip=(
            "For comparing: what the sampler gets while this node is bypassed (Ctrl-B). Connect the "
            "same prompt from CLIP Text Encode. Otherwise it is not used."
        ),
    )


def show_boxes_input() -> Any:
    """Whether the node draws while it runs: a widget that came later, and so the last one."""
    return io.Boolean.Input(
        "show_boxes",
        optional=True,
        default=True,
        advanced=True,
        tooltip=(
            "In guided steps the node draws the boxes and the attention of their words. Off: it does not; "
            "the pictures are the same."
        ),
    )


def effort_inputs(until: float) -> list[Any]:
    """Until when is guided, by default the paper's percent, and how long in each step."""
    return [
        io.Float.Input(
            "guidance_until",
            default=until,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip=(
                "Until this percent of the noise schedule the run is guided (0 is pure noise); 0: not at "
                f"all. A guided step takes up to 5 times as long as a plain one. Paper: {until:g}."
            ),
        ),
        io.Int.Input(
            "guidance_iterations",
            default=5,
            min=0,
            max=100,
            tooltip="In each guided step the latents are shifted at most so often. Paper: 5.",
        ),
        io.Float.Input(
            "loss_target",
            default=0.2,
            min=0.0,
            max=10.0,
            step=0.01,
            tooltip=(
                "The shift after a look that finds an image's loss down to this is its last in that step; 0 "
                "is perfect. Lower: nearer to the boxes, slower, at last at the cost of the picture. Paper: "
                "0.2."
            ),
        ),
    ]
