"""The rest of one call that the sampler makes, as methods see it."""

from collections.abc import Collection
from contextlib import AbstractContextManager
from typing import Literal, Protocol

from torch import Tensor

from .attention_part import AttentionPart
from .objective import LayerAttention, Objective, Slope
from .residual import ResidualPart
from .schedule import PercentRange

Stop = LayerAttention | tuple[int, Literal["residual"]]
"""A place that a pass may end behind: an attention, or the residual of a block by its ordinal among these."""

Visitor = AttentionPart | ResidualPart
"""Who sees a pass of guests."""


class Denoiser(Protocol):
    """The rest of one call of the sampler. Latents are the model's own, `signal` times the picture plus
    `sigma` times noise; `signal` is 1, and 1 - sigma in flow models.

    `percent` is the place of sigma on the noise schedule. `given` are the sampler's latents (B, C, h, w) as
    they were before any guidance shifted them.
    """

    @property
    def sigma(self) -> float: ...

    @property
    def signal(self) -> float: ...

    @property
    def percent(self) -> float: ...

    @property
    def given(self) -> Tensor: ...

    def within(self, range_: PercentRange) -> bool:
        """Whether sigma lies in a range of the schedule."""
        ...

    def rest(self, latents: Tensor) -> Tensor:
        """Latents (B, C, h, w) to the picture expected there, by all that stands inside."""
        ...

    def guests(
        self,
        latents: Tensor,
        part: Visitor,
        until: Collection[Stop] = (),
        prompt: object = None,
        whole: bool = False,
    ) -> Tensor:
        """Let other latents, of any number and size, through the same conditioning, seen by this part alone
        and by no ControlNet; gives the pictures expected there.

        With `whole` each of them is seen whole under the first row of every conditioning, also where that
        holds for a part of the picture only, or has a row for each image of the run.

        With `until` the pass ends when it has been at all of these, and what it gives means nothing. With
        `prompt`, a conditioning as the host's nodes hand it on, they are seen under it instead: in one chunk,
        whose text has the role "guests".
        """
        ...

    def pushing(self, prompt: object, weight: float) -> AbstractContextManager[bool]:
        """While open, so much (0..1) of what the run is pushed away from is what is expected under this
        prompt, a conditioning as the host's nodes hand it on, and the rest what it is anyway.

        Gives whether there is something to be pushed away from: not if the run has no negative prompt, does
        not look at it, or has another model look at it.
        """
        ...

    def slope(self, latents: Tensor, part: AttentionPart | None, objective: Objective) -> Slope | None:
        """The objective's loss and gradient at these latents under the positive prompts, seen by this part
        alone, in one pass that ends where the objective does.

        ControlNets add what they see, as something fixed. None if no positive prompt is in use at this sigma,
        or no layer could be measured. Raises ValueError where the host cannot give gradients.
        """
        ...
