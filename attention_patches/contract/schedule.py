"""When a method works: ranges of the noise schedule, in the percent by which the host counts it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from scipy.optimize import brentq

ROUNDING = 1e-5  # of a sigma: the same step of two schedules differs by less
OF_A_PERCENT = 1e-6
FOUND_WITHIN = 1e-8  # of a percent

PercentToSigma = Callable[[float], float]


@dataclass(frozen=True)
class PercentRange:
    """A part of the noise schedule, as the host counts it: 0.0 is pure noise, 1.0 the finished picture.

    The start is included and the end is not, so neighbouring ranges neither overlap nor leave a gap;
    start = end is empty. Raises ValueError for a start after the end or a value outside 0..1.
    """

    start: float = 0.0
    end: float = 1.0

    def __post_init__(self) -> None:
        for name, value in (("start_percent", self.start), ("end_percent", self.end)):
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"{name} is {value:g}; it must lie between 0 (pure noise) and 1 (finished)")
        if self.start > self.end:
            raise ValueError(
                f"start_percent {self.start:g} comes after end_percent {self.end:g}; swap them, "
                "or make them equal to switch the node off"
            )

    @property
    def empty(self) -> bool:
        return self.start == self.end

    def holds(self, percent: float) -> bool:
        """Whether a place on the schedule, as a site has it, lies in this part."""
        return (
            not self.empty
            and before(percent, self.end)
            and not (self.start > 0 and before(percent, self.start))
        )


def before(percent: float, until: float) -> bool:
    """Whether a place on the schedule lies before another; 0 is pure noise, and nothing lies behind 1."""
    return until >= 1.0 or percent < until - OF_A_PERCENT


@dataclass(frozen=True)
class Schedule:
    """The noise schedule of one model; `percent_to_sigma` is the host's, and falls."""

    percent_to_sigma: PercentToSigma
    found: dict[float, float] = field(default_factory=dict, compare=False, repr=False)  # percents by sigma

    @classmethod
    def of(cls, percent_to_sigma: PercentToSigma) -> "Schedule":
        """A schedule that asks the host for each percent only once."""
        return cls(cache(lambda percent: float(percent_to_sigma(percent))))

    def within(self, sigma: float, range_: PercentRange) -> bool:
        """Whether a model call at this sigma falls into the range."""
        start, end = (self.percent_to_sigma(p) * (1 + ROUNDING) for p in (range_.start, range_.end))
        return start >= sigma > end

    def percent(self, sigma: float) -> float:
        """Where a sigma stands on the schedule: 0.0 for its noisiest level and above, 1.0 for none."""
        if sigma <= 0:
            return 1.0
        if sigma >= self.percent_to_sigma(0.0):
            return 0.0
        if sigma not in self.found:
            self.found[sigma] = brentq(lambda p: self.percent_to_sigma(p) - sigma, 0, 1, xtol=FOUND_WITHIN)
        return self.found[sigma]
