"""Inputs that have their like on samplers: fractions of the noise schedule, seed, CFG."""

from typing import Any

from comfy_api.latest import io


def percent_input(
    name: str, default: float, tooltip: str, *, highest: float = 1.0, advanced: bool | None = None
) -> Any:
    """A fraction of the noise schedule, 0 for pure noise."""
    return io.Float.Input(
        name, default=default, min=0.0, max=highest, step=0.001, advanced=advanced, tooltip=tooltip
    )


def range_inputs(paper: str = "", advanced: bool | None = None) -> list[Any]:
    """The range in which a patch works: by default the whole schedule."""
    start = "Start of the range, as a fraction of the noise schedule; 0 is pure noise."
    end = "End of the range (not included); equal to the start switches the node off."
    return [
        percent_input("start_percent", 0.0, start, advanced=advanced),
        percent_input("end_percent", 1.0, f"{end} {paper}".rstrip(), advanced=advanced),
    ]


def seed_input(tooltip: str) -> Any:
    """A seed that stays as it is from run to run."""
    return io.Int.Input(
        "seed",
        default=0,
        min=0,
        max=0xFFFFFFFFFFFFFFFF,
        control_after_generate=io.ControlAfterGenerate.fixed,
        tooltip=tooltip,
    )


def cfg_input(tooltip: str) -> Any:
    """Classifier-free guidance, by default none."""
    return io.Float.Input("cfg", default=1.0, min=0.0, max=100.0, step=0.1, round=0.01, tooltip=tooltip)
