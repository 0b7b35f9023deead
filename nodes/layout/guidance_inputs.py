"""Inputs of the nodes that guide subjects into places."""

from typing import Any

from comfy_api.latest import io

from ..inputs.model_inputs import model_input
from .layout_inputs import layout_inputs


def guided_layout_inputs(steps: float) -> list[Any]:
    """Model, prompt and layout, and how much of the sampling is guided (`steps`: the paper's part)."""
    return [
        model_input(),
        io.Clip.Input("clip", tooltip="Its text encoder: SD1.5, SD2 or SDXL."),
        io.String.Input(
            "prompt",
            multiline=True,
            dynamic_prompts=True,
            tooltip="One prompt for the whole picture; it holds the phrase of every box.",
        ),
        *layout_inputs(),
        *effort_inputs(steps),
    ]


def effort_inputs(steps: float) -> list[Any]:
    """How many steps are guided, by default the paper's part of them, and how long each."""
    return [
        io.Float.Input(
            "guidance_steps",
            default=steps,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip=(
                "Part of the sampler's steps that is guided, from the first on; 0: none. A guided step takes "
                f"up to 5 times as long as a plain one. Paper: {steps:g}."
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
                "An image whose loss is down to this is not shifted any more in that step; 0 is perfect. "
                "Lower: nearer to the boxes, slower, at last at the cost of the picture. Paper: 0.2."
            ),
        ),
    ]
