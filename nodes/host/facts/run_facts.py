"""What stays the same during one sampling run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ....attention_patches.contract.attention_part import AttentionPart
from ....attention_patches.contract.call.site import Text
from ....attention_patches.contract.layers.layer_map import LayerMap
from ....attention_patches.contract.method import CallPart, GuidingPart, LeftOut, Method, Part, ScopePart
from ....attention_patches.contract.report import RunReport, Tally
from ....attention_patches.contract.residual import ResidualPart
from ....attention_patches.contract.schedule import Schedule
from ..families.family import Family
from .eager import Eager

COUNTED = AttentionPart | ResidualPart | ScopePart | GuidingPart  # where they work, not by the call


@dataclass(frozen=True, eq=False)
class Working:
    """A method in one run: its parts, and what is counted of them."""

    method: Method
    parts: Sequence[Part]
    tally: Tally

    @cached_property
    def works_by_the_call(self) -> bool:
        """Whether it works round calls of the sampler alone."""
        round_calls = any(isinstance(part, CallPart) for part in self.parts)
        return round_calls and not any(isinstance(part, COUNTED) for part in self.parts)


@dataclass(frozen=True, eq=False)
class RunFacts:
    """Of one run. `texts` are its conditionings by the host's identity for them, `latent` is in cells.
    Latents of a `flow` are a mean of picture and noise, others their sum."""

    family: Family
    layers: LayerMap
    residuals: LayerMap
    schedule: Schedule
    images: int
    latent: tuple[int, int]
    texts: Mapping[Any, Text]
    working: Sequence[Working]
    report: RunReport
    flow: bool = False
    eager: Eager = field(default_factory=Eager)

    def left_out(self) -> LeftOut | None:
        """Who knows what a noise mask leaves out of a run that adds no noise; the first node that does."""
        parts = (part for working in self.working for part in working.parts)
        return next((part for part in parts if isinstance(part, LeftOut)), None)

    def uncontrolled(self) -> list[int]:
        """Images that ControlNets leave alone."""
        return sorted(
            {
                image
                for working in self.working
                for part in working.parts
                for image in getattr(part, "uncontrolled", ())
            }
        )
