"""When a patch works: a range of the schedule in percent, and the progress of a run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise


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

    def contains(self, sigma: float, percent_to_sigma: Callable[[float], float]) -> bool:
        """Whether a model call at this sigma falls into the range; sigma falls as percent rises."""
        return percent_to_sigma(self.start) >= sigma > percent_to_sigma(self.end)


def progress(sigma: float, sigmas: Sequence[float]) -> float:
    """Fraction of a run's steps done at `sigma`, 0 at its first noise level and 1 at its last.

    Linear between steps, for samplers that call the model there. The schedule may rise (inversion) or fall.
    """
    steps = len(sigmas) - 1
    if steps < 1:
        return 0.0
    rising = sigmas[-1] > sigmas[0]
    for i, (here, after) in enumerate(pairwise(sigmas)):
        passed = sigma > after if rising else sigma < after
        if not passed:
            span = after - here
            part = (sigma - here) / span if span else 0.0
            return (i + min(max(part, 0.0), 1.0)) / steps
    return 1.0
