"""What a method did in a run, counted while it runs and put into words at its end."""

from collections import Counter
from collections.abc import Iterable, Set
from dataclasses import dataclass, field

from .call.site import Rows, Site
from .layers.layer import Layer
from .residual import ResidualSite

OPTIONS_OF_ITS_OWN = "another pack samples with options of its own, in which no node of this pack is"
SKIPPED_CALLS = "another patch skips whole calls of the model"
SKIPPED_LAYERS = "another patch skips layers in some calls of the model"
LEFT_TO_ANOTHER = "another patch computes the attention there itself and passes no transformer_options on"
NOT_ASIDE = {
    LEFT_TO_ANOTHER: "Left to another patch",
    SKIPPED_CALLS: "Not computed",
    SKIPPED_LAYERS: "Not computed",
}
"""How places are introduced where the method itself has not stepped aside."""


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
    calls: int = 0  # of the sampler, for a method that works round them alone
    images: int = 0
    passes: int = 0  # forward passes within its range
    due: frozenset[float] = frozenset()  # noise levels of the schedule within its range
    asked: set[float] = field(default_factory=set)  # of the sampler's calls within its range
    computed: set[float] = field(default_factory=set)  # of those at which the model was computed
    skipped: Counter[Layer] = field(default_factory=Counter)  # passes that left out a layer, but not all
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

    def touch_call(self, images: int, sigma: float) -> None:
        """It works round a call of the sampler, and looks at no attention."""
        self.calls += 1
        self.sigmas.add(sigma)
        self.images = images

    def follow(self, sigma: float, entered: Set[int], layers: Iterable[Layer]) -> None:
        """A forward pass within its range is over, which came to these of the model's layers."""
        if not entered:
            return
        self.computed.add(sigma)
        if len(entered) < self.layers_total:
            self.skipped.update(layer for layer in layers if layer.ordinal not in entered)

    def step_aside(self, reason: str, place: str) -> None:
        """A call was left alone, because of `reason`."""
        self.left_alone.setdefault(reason, Counter())[place] += 1

    @property
    def idle(self) -> bool:
        """Whether it was asked to work, and did nothing."""
        worked = self.layers or self.residuals or self.scopes or self.shifts or self.calls
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
        images = counted(self.images, "image")
        line = (
            f"{self.label}: {self._worked()}{len(self.sigmas)} of {len(run.sigmas)} noise levels, {images}."
        )
        return f"{line} {self.remark}" if self.remark else line

    def _worked(self) -> str:
        """Where it worked."""
        if self.calls and not (self.layers or self.residuals):
            return ""
        worked = f"{len(self.layers)} of {self.layers_total} layers" if self.layers else "no attention layer"
        worked += f", features of {counted(len(self.residuals), 'block')}" if self.residuals else ""
        return f"{worked}, all group norms, " if self.scopes else f"{worked}, "

    def _why(self, run: "RunReport") -> str:
        """Why it did nothing."""
        if self.left_alone:
            return max(self.left_alone, key=lambda reason: self.left_alone[reason].total())
        if not run.steps:
            return "the sampler made no step"
        if not run.passes:
            return OPTIONS_OF_ITS_OWN
        if not self.passes:
            return f"its range holds none of {counted(len(run.sigmas), 'noise level')}"
        if self.computed:
            return "no call of the model held a prompt that it is for"
        return "none of its layers was computed; another patch skips them"

    def remarks(self) -> list[str]:
        """What was left alone, and why."""
        return [
            f"{NOT_ASIDE[reason]}: {_list(places)}; {reason}."
            if reason in NOT_ASIDE
            else f"Stepped aside {counted(places.total(), 'time')}, {reason}: {_list(places)}."
            for reason, places in self.left_alone.items()
        ]

    def close(self, run: "RunReport") -> None:
        """The run is over: what has passed it by is told."""
        if self.off or self.nothing_to_do:
            return
        if run.steps and not run.passes:
            self.step_aside(OPTIONS_OF_ITS_OWN, "all layers")
            return
        # samplers that go by levels of their own are asked at others than the schedule's
        due = self.due if self.asked <= self.due else self.asked
        if lost := due - self.computed:
            self.step_aside(SKIPPED_CALLS, f"{len(lost)} of {counted(len(due), 'noise level')}")
        for layer in sorted(self.skipped, key=lambda layer: layer.ordinal):
            if layer.ordinal in self.layers:
                self.step_aside(SKIPPED_LAYERS, str(layer))


@dataclass
class RunReport:
    """Of one sampling run: a tally for each method, and how often the sampler and the model were called."""

    tallies: list[Tally]
    sigmas: set[float] = field(default_factory=set)  # of the model's calls
    steps: int = 0  # of the schedule
    passes: int = 0  # of the model, the run's own

    def close(self) -> None:
        """The run is over: what has passed every method by is told by each."""
        for tally in self.tallies:
            tally.close(self)


def counted(n: int, noun: str) -> str:
    """A number of things whose plural ends in s."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _list(names: Iterable[str], most: int = 12) -> str:
    names = list(names)
    tail = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + tail
