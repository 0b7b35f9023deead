"""A method as it stands on a node, and the parts by which it works in a run.

A method is a frozen specification that can serve many runs. What works in one run are the parts that `begin`
gives: each implements one or several of the protocols below, `AttentionPart`, `ResidualPart` or
`ConceptPart`, and only those.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

from torch import Tensor

from .attention_part import AttentionPart
from .batch import Batch
from .call.site import Rows
from .concepts import ConceptPart
from .denoiser import Denoiser
from .residual import ResidualPart
from .schedule import PercentRange
from .views import RegionPrompts, ViewingPart

WHOLE_SCHEDULE = PercentRange()


@runtime_checkable
class CallPart(Protocol):
    """Works round each call that the sampler makes, within the range or not."""

    def denoise(self, latents: Tensor, model: Denoiser) -> Tensor:
        """Latents (B, C, h, w) to the picture expected there: call `model.rest` with what the rest should
        see.

        `model.sigma` may be any: samplers of higher order call between the steps.
        """
        ...


@runtime_checkable
class GuidingPart(Protocol):
    """Shifts the sampler's own latents, before anybody else sees them: once in each call of the sampler."""

    def shift(self, latents: Tensor, model: Denoiser) -> bool:
        """Shift latents (B, C, h, w) in place; the sampler goes on from there. Returns whether it did."""
        ...


@runtime_checkable
class ScopePart(Protocol):
    """Holds something open during each forward pass of the model within the range."""

    def around(self, rows: Rows) -> AbstractContextManager[Any]:
        """The scope."""
        ...


@runtime_checkable
class Uncontrolled(Protocol):
    """Keeps ControlNets off some images during the whole run."""

    @property
    def uncontrolled(self) -> Sequence[int]:
        """Images of the batch, from 0."""
        ...


@runtime_checkable
class LeftOut(Protocol):
    """Knows the picture in the noisy latents that a run begins with, if its sampler adds no noise: there a
    noise mask leaves out that picture, and not these latents."""

    def left_out(self, sigma: float) -> Tensor:
        """What stands outside of the mask at this noise level, (1 or B, C, h, w); at 0 the picture."""
        ...


@runtime_checkable
class OneNoise(Protocol):
    """Wants samplers that draw noise between their steps to give all images that of image 0, which then gets
    what it would get alone."""

    def noise_differs(self, reason: str, *, certain: bool) -> None:
        """Told before the first step where that cannot be, or where it is not certain whether it can."""
        ...


@runtime_checkable
class Reporter(Protocol):
    """Has something to say at the end."""

    def finish(self, latents: Tensor) -> str | None:
        """Called after a run that ended well, with the latents (B, C, h, w) it made: a remark, or None."""
        ...


Part = (
    AttentionPart
    | ResidualPart
    | ConceptPart
    | CallPart
    | GuidingPart
    | ScopePart
    | ViewingPart
    | Uncontrolled
    | LeftOut
    | OneNoise
    | Reporter
)


@dataclass(frozen=True, kw_only=True)
class Method:
    """Base of every method's specification."""

    label: ClassVar[str]
    needs_place: ClassVar[bool] = False  # leaves parts of a picture alone whose place is not known
    during: PercentRange = WHOLE_SCHEDULE

    @property
    def off(self) -> bool:
        """True if the settings ask for nothing; such a method is left out of the run."""
        return self.during.empty

    @property
    def guides(self) -> bool:
        """Whether it shifts the sampler's latents, and so would lead a run away from a given picture."""
        return False

    @property
    def looking(self) -> "Method":
        """What is left of it where a given picture is looked at, or followed along its noisy states: no
        guidance, and nothing that hangs on earlier steps."""
        return self

    def start(self, batch: Batch) -> str | None:
        """Called before the model is loaded. Returns why there is nothing to do here, or None; raises
        ValueError for settings that do not fit the batch."""
        return None

    def missed(self, latents: Tensor, reason: str) -> None:
        """Called after a run that ended well in these latents, and in which it had nothing to do."""

    @property
    def region_prompts(self) -> Sequence[RegionPrompts]:
        """Prompts that the host should prepare beside the sampler's own, for the views of a `ViewingPart`."""
        return ()

    def largest_call(self, batch: Batch) -> tuple[int, tuple[int, int]] | None:
        """How many views of which size (height, width) in cells a `ViewingPart` has in one call of the model
        at most; None if this has none."""
        return None

    def memory(self, batch: Batch) -> int:
        """Bytes that it will need on the model's device beyond those of a plain run."""
        return 0

    def begin(self, batch: Batch) -> Sequence[Part]:
        """What works in this run; called when all its conditionings have their final form."""
        raise NotImplementedError
