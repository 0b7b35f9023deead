"""The figures of edits by way: over all kinds, each of which counts the same, and by kind."""

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import fmean
from typing import Any

BESIDE_AIMS = ("P2P, blend", "P2P, as advised", "img2img", "P2P of a scene", "img2img of a scene")
MEASURES = ("edit", "rest", "PSNR", "structure IoU")
AIMS = {"edit": 0.8, "rest": 0.9, "PSNR": 35.0}
Measured = dict[str, dict[str, float]]  # by measure: {"mean": ..., "of": ...}
Kinds = dict[str, dict[str, Measured]]  # by kind and way


def summed(values: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    """Mean and number of values of each measure."""
    return {name: {"mean": fmean(own), "of": len(own)} for name, own in values.items() if own}


def added(one: Kinds, other: Kinds) -> Kinds:
    """The figures of both together."""
    found: Kinds = {}
    for kind in dict.fromkeys((*one, *other)):
        ours, theirs = one.get(kind, {}), other.get(kind, {})
        ways = dict.fromkeys((*ours, *theirs))
        found[kind] = {way: _means(ours.get(way, {}), theirs.get(way, {})) for way in ways}
    return found


def _means(one: Measured, other: Measured) -> Measured:
    found: Measured = {}
    for name in dict.fromkeys((*one, *other)):
        parts = [part[name] for part in (one, other) if name in part]
        number = sum(part["of"] for part in parts)
        found[name] = {"mean": sum(part["mean"] * part["of"] for part in parts) / number, "of": number}
    return found


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


def beside_aims(kinds: Kinds) -> list[list[Any]]:
    """The blend and img2img over the kinds that the blend is for, of sampled pictures and of rendered scenes,
    whose masks are the true ones, below what was aimed at. A share of so many edits, the mean of the kinds',
    has a standard error of so many points."""
    blended = {kind: ways for kind, ways in kinds.items() if "P2P, blend" in ways}
    lines: list[list[Any]] = [["aim", *(f"{written(name, aim)}" for name, aim in AIMS.items())]]
    overall = over_all(blended)
    for way in (way for way in BESIDE_AIMS if way in overall):
        own = overall[way]
        errors = (
            sqrt(fmean(_variance(ways[way][name]) for ways in blended.values()) / len(blended))
            for name in AIMS
        )
        told = [
            written(name, own[name]) + ("" if name == "PSNR" else f" ± {100 * error:.0f}")
            for name, error in zip(AIMS, errors, strict=True)
        ]
        lines.append([way, *told])
    return lines


def _variance(measured: dict[str, float]) -> float:
    """Of a share that was counted."""
    return max(measured["mean"] * (1 - measured["mean"]), 0.0) / measured["of"]


def header(kinds: Kinds) -> list[str]:
    return ["", "edit right", "rest right", "PSNR, dB", "structure IoU", *kinds]


def written(name: str, value: float) -> str:
    return (
        f"{value:.0%}" if name in ("edit", "rest") else f"{value:.1f}" if name == "PSNR" else f"{value:.2f}"
    )


def _pair(measured: Measured | None) -> str:
    """Edit and rest of one kind; nothing where the way is not for it."""
    if measured is None:
        return ""
    return " / ".join(written(name, measured[name]["mean"]) for name in ("edit", "rest"))


def numbers(kinds: Kinds) -> dict[str, int]:
    """How many edits of each kind there are."""
    return {kind: int(next(iter(ways.values()))["edit"]["of"]) for kind, ways in kinds.items()}
