"""The figures of shape variations by way."""

from statistics import fmean
from typing import Any

MEASURES = ("shape changed", "object IoU", "class kept", "rest kept", "background PSNR")
FORMS = ("{:.0%}", "{:.2f}", "{:.0%}", "{:.0%}", "{:.1f} dB")
Values = dict[str, dict[str, list[float]]]  # by way and measure


def means(values: Values) -> dict[str, dict[str, float]]:
    """By way and measure."""
    return {way: {name: fmean(own) for name, own in by.items() if own} for way, by in values.items()}


def rows(record: dict[str, Any]) -> list[list[Any]]:
    """A line for each way."""
    return [
        [way, *(form.format(own[name]) for name, form in zip(MEASURES, FORMS, strict=True))]
        for way, own in record["ways"].items()
    ]
