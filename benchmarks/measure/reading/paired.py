"""Means of several ways of doing the same, beside the first of them."""

from collections.abc import Iterator

import numpy as np
from scipy.stats import bootstrap

Values = dict[str, dict[str, list[float]]]  # by way and measure; a value for each case, in the same order
Told = dict[
    str, dict[str, list[float]]
]  # by way and measure: mean, difference to the first way, its interval


def told(values: Values) -> Told:
    """For each way and measure: mean, difference to the first way, and that difference's interval."""
    base = next(iter(values.values()))
    return {
        name: {measure: [float(np.mean(own)), *beside(own, base[measure])] for measure, own in found.items()}
        for name, found in values.items()
    }


def beside(own: list[float], base: list[float]) -> Iterator[float]:
    """The mean of the paired differences and the two ends of its 95 % interval."""
    apart = np.subtract(own, base)
    yield float(apart.mean())
    if len(apart) < 2 or not apart.std():
        yield from (float(apart.mean()),) * 2
        return
    ends = bootstrap((apart,), np.mean, random_state=0).confidence_interval
    yield from (float(ends.low), float(ends.high))
