"""The figures of edits by way: over all kinds, each of which counts the same, and by kind."""

from typing import Any

MEASURES = ("edit", "rest", "PSNR", "structure IoU")
Kinds = dict[
    str, dict[str, dict[str, dict[str, float]]]
]  # by kind, way and measure: {"mean": ..., "of": ...}


def over_all(kinds: Kinds) -> dict[str, dict[str, float]]:
    """By way and measure the mean over those kinds that have it."""
    found: dict[str, dict[str, float]] = {}
    for way in dict.fromkeys(way for ways in kinds.values() for way in ways):
        parts = [ways[way] for ways in kinds.values() if way in ways]
        for name in MEASURES:
            means = [part[name]["mean"] for part in parts if name in part]
            found.setdefault(way, {})[name] = sum(means) / len(means)
    return found


def rows(kinds: Kinds) -> list[list[Any]]:
    """A line for each way: all kinds, then edit and rest of each."""
    return [
        [
            way,
            *(written(name, value) for name, value in own.items()),
            *(_pair(ways.get(way)) for ways in kinds.values()),
        ]
        for way, own in over_all(kinds).items()
    ]


def header(kinds: Kinds) -> list[str]:
    return ["", "edit right", "rest right", "PSNR, dB", "structure IoU", *kinds]


def written(name: str, value: float) -> str:
    return (
        f"{value:.0%}" if name in ("edit", "rest") else f"{value:.1f}" if name == "PSNR" else f"{value:.2f}"
    )


def _pair(measured: dict[str, dict[str, float]] | None) -> str:
    """Edit and rest of one kind; nothing where the way is not for it."""
    if measured is None:
        return ""
    return " / ".join(written(name, measured[name]["mean"]) for name in ("edit", "rest"))


def numbers(kinds: Kinds) -> dict[str, int]:
    """How many edits of each kind there are."""
    return {kind: int(next(iter(ways.values()))["edit"]["of"]) for kind, ways in kinds.items()}
