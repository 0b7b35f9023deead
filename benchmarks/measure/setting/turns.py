"""Several runs timed in turn in one process, so that what slows the machine slows all of them."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from measure.pages import record


def seconds_of(runs: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """By `record.clock`, of each run in each round; each round begins with another one."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds):
        first = number % len(runs)
        for name in (*runs, *runs)[first : first + len(runs)]:
            started = record.clock()
            runs[name]()
            seconds[name].append(record.clock() - started)
    return seconds


def ratio(own: Sequence[float], base: Sequence[float]) -> float:
    """The median of what each round says."""
    return statistics.median(one / other for one, other in zip(own, base, strict=True))
