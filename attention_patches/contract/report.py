"""What a patch did in a run, counted while it runs and put into words at its end."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from .site import Rows, Site


@dataclass
class Tally:
    """Of one patch in one run."""

    label: str
    layers_total: int
    off: bool = False
    nothing_to_do: str | None = None
    remark: str | None = None
    layers: set[int] = field(default_factory=set)
    sigmas: set[float] = field(default_factory=set)
    scopes: int = 0
    images: int = 0

    def touch(self, site: Site) -> None:
        """The patch is called at this site."""
        self.layers.add(site.layer.ordinal)
        self.sigmas.add(site.sigma)
        self.images = site.rows.images

    def touch_scope(self, rows: Rows, sigma: float) -> None:
        """The patch's scope is open during a forward pass."""
        self.scopes += 1
        self.sigmas.add(sigma)
        self.images = rows.images

    @property
    def idle(self) -> bool:
        """Asked to work, and touched nothing."""
        return not (self.off or self.nothing_to_do or self.layers or self.scopes)

    def describe(self, sigmas_total: int, passed_by: bool = False) -> str:
        """One line; `passed_by` says that remarks tell why calls were left alone."""
        if self.off:
            return f"{self.label}: off."
        if self.nothing_to_do:
            return f"{self.label}: nothing to do, {self.nothing_to_do}."
        if self.idle:
            advice = "the remarks say why" if passed_by else "check its layers and its range"
            return f"{self.label}: WARNING, it touched no attention layer; {advice}."
        images = _count(self.images, "image")
        worked = f"{len(self.layers)} of {self.layers_total} layers" if self.layers else "no attention layer"
        worked += ", all group norms" if self.scopes else ""
        line = f"{self.label}: {worked}, {len(self.sigmas)} of {sigmas_total} noise levels, {images}."
        return f"{line} {self.remark}" if self.remark else line


@dataclass
class RunReport:
    """Of one sampling run: a tally for each patch, and what passed the patches by, with counts of calls."""

    tallies: list[Tally]
    sigmas: set[float] = field(default_factory=set)
    stepped_aside: dict[str, Counter[str]] = field(default_factory=dict)
    missed: Counter[str] = field(default_factory=Counter)

    def step_aside(self, reason: str, place: str) -> None:
        """A call was left alone, because of `reason`."""
        self.stepped_aside.setdefault(reason, Counter())[place] += 1

    def remarks(self) -> list[str]:
        """What was left out, and why."""
        remarks = [
            f"Stepped aside {_count(places.total(), 'time')}, {reason}: {_list(places)}."
            for reason, places in self.stepped_aside.items()
        ]
        if self.missed:
            remarks.append(
                "Left to another patch, which computes the attention there itself and passes no "
                f"transformer_options on: {_list(self.missed)}."
            )
        return remarks


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _list(names: Iterable[str], most: int = 12) -> str:
    names = list(names)
    tail = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + tail
