"""The search for the subjects' outlines in one run: when it is due, what it goes by, what it has found."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import Tensor

from ...contract.call.qkv import QKV
from ...contract.call.site import Site, Text
from .bounds import Outlines
from .refinement import Evidence, refine


@dataclass(kw_only=True)
class Search:
    """Finds outlines from `start` of the schedule on (1: never), and anew every `every` of it, in layers of
    one grid."""

    start: float
    every: float
    clusters_per_subject: int
    seed: int
    images: int
    layers: frozenset[int]
    grid: tuple[int, int]
    evidence: Evidence = field(default_factory=Evidence)
    centres: dict[int, Tensor] = field(default_factory=dict)
    rounds: dict[int, float] = field(default_factory=dict)  # which refinement -> when, in percent
    lost: set[tuple[int, int]] = field(default_factory=set)  # (image, subject) that once had no cluster

    @property
    def goes_on(self) -> bool:
        """Whether it takes place in this run."""
        return self.start < 1

    def looks_at(self, site: Site) -> bool:
        """Whether it goes by this attention."""
        return self.goes_on and site.layer.ordinal in self.layers

    def add(self, site: Site, qkv: QKV, text: Text, rows: slice, outlines: Outlines) -> None:
        """What the subjects look at, from the rows of the prompt where it has the whole picture."""
        if site.kind == "self":
            self.evidence.add_self(qkv, rows)
        else:
            self.evidence.add_cross(qkv, rows, text.tokens, self._leading(outlines))

    def _leading(self, outlines: Outlines) -> list[tuple[int, ...]]:
        subjects = map(outlines.layout.subjects, range(self.images))
        return [tuple(subject.leading for subject in own) for own in subjects]

    def due(self, percent: float) -> int | None:
        """Which refinement is due at this place of the schedule; None if there was one since."""
        due = math.floor((percent - self.start) / max(self.every, 1e-6) + 1e-4)
        return None if self.rounds and due <= max(self.rounds) else due

    def refine(self, outlines: Outlines, image: int) -> bool:
        """Find the outlines of an image's subjects; whether enough was seen of it."""
        layout, evidence = outlines.layout, self.evidence
        subjects = len(layout.subjects(image))
        if not subjects or not evidence.complete(image):
            return False
        refined = refine(
            evidence.own[image].values,
            evidence.words[image].values.T,
            outlines.masks(self.grid, image),
            layout.masks(self.grid, image),
            self.clusters_per_subject * subjects,
            self.seed,
            self.centres.get(image),
        )
        self.centres[image] = refined.centres
        self.lost.update((image, subject) for subject in refined.lost)
        outlines.found[image] = refined.masks.unflatten(1, self.grid)
        return True

    def told(self, outlines: Outlines) -> Iterator[str]:
        """For the report."""
        if times := ", ".join(f"{percent:.2f}" for percent in self.rounds.values()):
            yield f"Masks found anew at {times} of the schedule."
        for image, number in sorted(self.lost):
            phrase = outlines.layout.subjects(image)[number].phrase
            yield f"{phrase!r} of image {image} was not found at times and kept its box."
