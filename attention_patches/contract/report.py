"""What a method did in a run, counted while it runs and put into words at its end."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from .residual import ResidualSite
from .site import Rows, Site

OPTIONS_OF_ITS_OWN = "another pack samples with options of its own, in which no node of this pack is"
SKIPPED = "another patch skips whole calls of the model"
LEFT_TO_ANOTHER = "another patch computes the attention there itself and passes no transformer_options on"


@dataclass
class Tally:
    """Of one method in one run. What it only looks at on the way to a gradient does not count."""

    label: str
    layers_total: int
    off: bool = False
    nothing_to_do: str | None = None
    remark: str | None = None
    unsound: bool = False  # the run gave no numbers
    layers: set[int] = field(default_factory=set)
    residuals: set[int] = field(default_factory=set)  # blocks by their ordinal among these
    sigmas: set[float] = field(default_factory=set)
    scopes: int = 0
    shifts: int = 0  # calls of the sampler before which it shifted the latents
    images: int = 0
    passes: int = 0  # forward passes within its range
    left_alone: dict[str, Counter[str]] = field(default_factory=dict)  # reason -> places

    def touch(self, site: Site) -> None:
        """It is called at this site."""
        self.layers.add(site.layer.ordinal)
        self.sigmas.add(site.sigma)
        self.images = site.rows.images

    def touch_residual(self, site: ResidualSite) -> None:
        """It is called with what this block adds to its shortcut."""
        self.residuals.add(site.layer.ordinal)
        self.sigmas.add(site.sigma)
        self.images = site.rows.images

    def touch_scope(self, rows: Rows, sigma: float) -> None:
        """Its scope is open during a forward pass."""
        self.scopes += 1
        self.sigmas.add(sigma)
        self.images = rows.images

    def step_aside(self, reason: str, place: str) -> None:
        """A call was left alone, because of `reason`."""
        self.left_alone.setdefault(reason, Counter())[place] += 1

    @property
    def idle(self) -> bool:
        """Whether it was asked to work, and did nothing."""
        worked = self.layers or self.residuals or self.scopes or self.shifts
        return not (self.off or self.nothing_to_do or worked)

    def describe(self, run: "RunReport") -> str:
        """One line."""
        if self.off:
            return f"{self.label}: off."
        if self.nothing_to_do:
            return f"{self.label}: nothing to do, {self.nothing_to_do}."
        if self.idle:
            remark = f" {self.remark}" if self.remark else ""
            return f"{self.label}: WARNING, it touched no attention layer: {self._why(run)}.{remark}"
        images = _count(self.images, "image")
        worked = f"{len(self.layers)} of {self.layers_total} layers" if self.layers else "no attention layer"
        worked += f", features of {_count(len(self.residuals), 'block')}" if self.residuals else ""
        worked += ", all group norms" if self.scopes else ""
        line = f"{self.label}: {worked}, {len(self.sigmas)} of {len(run.sigmas)} noise levels, {images}."
        return f"{line} {self.remark}" if self.remark else line

    def _why(self, run: "RunReport") -> str:
        """Why it did nothing."""
        if self.left_alone:
            return max(self.left_alone, key=lambda reason: self.left_alone[reason].total())
        if not run.steps:
            return "the sampler made no step"
        if not run.passes:
            return OPTIONS_OF_ITS_OWN
        if not self.passes:
            return f"none of the {_count(len(run.sigmas), 'noise level')} lies in its range"
        return "none of its layers was computed; another patch skips them"

    def remarks(self) -> list[str]:
        """What was left alone, and why."""
        return [
            f"Left to another patch: {_list(places)}; {reason}."
            if reason == LEFT_TO_ANOTHER
            else f"Stepped aside {_count(places.total(), 'time')}, {reason}: {_list(places)}."
            for reason, places in self.left_alone.items()
        ]


@dataclass
class RunReport:
    """Of one sampling run: a tally for each method, and how often the sampler and the model were called."""

    tallies: list[Tally]
    sigmas: set[float] = field(default_factory=set)  # of the model's calls
    asked: set[float] = field(default_factory=set)  # of the sampler's calls
    steps: int = 0  # of the schedule
    passes: int = 0  # of the model, the run's own

    def close(self) -> None:
        """The run is over: what has passed every method by is told by each."""
        for tally in self.tallies:
            if tally.off or tally.nothing_to_do:
                continue
            if self.steps and not self.passes:
                tally.step_aside(OPTIONS_OF_ITS_OWN, "all layers")
            elif skipped := self.asked - self.sigmas:
                tally.step_aside(SKIPPED, f"{_count(len(skipped), 'noise level')} of {len(self.asked)}")


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _list(names: Iterable[str], most: int = 12) -> str:
    names = list(names)
    tail = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + tail
