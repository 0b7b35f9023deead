"""Which figures of a model are worse than another's, by more than chance: such a model replaces nothing."""

from collections.abc import Iterator
from typing import Any

from .score import Rate

LESS_IS_BETTER = ("only one present (neglect)", "of those with both: a colour leaked")
NEITHER = ("seeds in the same style",)
JUDGED = "judge on"  # tables of the judge, not of the model
ERRORS = 2.0  # standard errors of the difference
SAME = 0.05  # dB, in which the rounding of two machines may differ


def worse(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """A line for each figure that both have and that has become worse."""
    lines = []
    for table, row, old, new in _rows(before, after):
        change = _share(new) - _share(old)
        if row in LESS_IS_BETTER:
            change = -change
        if row not in NEITHER and change < -ERRORS * (_variance(old) + _variance(new)) ** 0.5:
            lines.append(f"{table}: {row}: {_share(old):.0%} before, {_share(new):.0%} now")
    if after["vae psnr"] < before["vae psnr"] - SAME:
        lines.append(f"autoencoder: {before['vae psnr']:.1f} dB before, {after['vae psnr']:.1f} dB now")
    return lines


def _rows(before: dict[str, Any], after: dict[str, Any]) -> Iterator[tuple[str, str, Rate, Rate]]:
    for table, rows in before.items():
        if isinstance(rows, dict) and not table.startswith(JUDGED):
            for row, old in rows.items():
                if row in after.get(table, {}):
                    yield table, row, old, after[table][row]


def _share(rate: Rate) -> float:
    hits, trials = rate
    return hits / max(trials, 1)


def _variance(rate: Rate) -> float:
    """Of the share, with one hit and one miss added, so that all or nothing is no certainty."""
    hits, trials = rate
    share = (hits + 1) / (trials + 2)
    return share * (1 - share) / max(trials, 1)
