"""Inputs of nodes that cut pictures into segments by their self-attention."""

from typing import Any

from comfy_api.latest import io


def segments_input(advanced: bool | None = None) -> Any:
    """How many segments there are."""
    return io.Int.Input(
        "segments",
        default=5,
        min=1,
        max=64,
        advanced=advanced,
        tooltip="How many segments each picture is cut into, background included. Paper: 5.",
    )


def label_threshold_input(tooltip: str, advanced: bool | None = None) -> Any:
    """The least score that a label needs."""
    return io.Float.Input(
        "label_threshold", default=0.3, min=0.0, max=1.0, step=0.01, advanced=advanced, tooltip=tooltip
    )


def clustering_seed_input() -> Any:
    """The seed of k-means, which is not the picture's."""
    return io.Int.Input(
        "seed",
        default=0,
        min=0,
        max=2**32 - 1,
        control_after_generate=False,
        advanced=True,
        tooltip="Of the clustering: the same seed gives the same segments. Not the picture's.",
    )


def sharpen_input(tooltip: str) -> Any:
    """Whether borders follow the picture's edges."""
    return io.Boolean.Input("sharpen", default=True, tooltip=tooltip)
