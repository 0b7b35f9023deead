"""The contract of a method: a wrapper round one attention call, as middleware wraps a request."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from torch import Tensor

from .layers import LayerMap
from .objective import Objective, Slope
from .qkv import QKV
from .schedule import PercentRange
from .site import Rows, Site

WHOLE = PercentRange()

Attend = Callable[[QKV], Tensor]
"""The rest of the chain; the innermost is the host's own attention. Gives (B, H, N, d)."""


@dataclass(frozen=True)
class LayerSize:
    """The queries of one layer for the run's latents."""

    grid: tuple[int, int]  # (height, width) in tokens
    heads: int
    width: int  # channels of one head


@dataclass(frozen=True)
class Batch:
    """What a run is about to sample.

    `conditionings` holds the rows of each conditioning by role, `text_tokens` the length of each of its
    texts, `sizes` the layers by ordinal. `tell` shows a line on the patch's node while the run goes on.
    """

    images: int
    steps: int = 0  # of the sampler
    latent: tuple[int, int] = (0, 0)  # (height, width) in cells
    conditionings: Mapping[str, Sequence[int]] = field(default_factory=dict)
    text_tokens: Mapping[str, Sequence[int]] = field(default_factory=dict)
    layers: LayerMap | None = None
    sizes: Mapping[int, LayerSize] = field(default_factory=dict)
    tell: Callable[[str], None] = lambda line: None


@dataclass(frozen=True)
class Denoiser:
    """The rest of one call that the sampler makes: latents (B, C, h, w) in, the picture expected there out.

    Latents are the model's own, image plus `sigma` times noise. `within` says whether sigma lies in the
    patch's range, `progress` which fraction of the run's steps is done. `guests` lets other latents, of any
    number and size, through the same conditioning with no patch but the given one; they get no ControlNet.
    `given` are the sampler's latents from before guidance may have shifted them; None without guidance.
    """

    sigma: float
    within: bool
    progress: float
    rest: Callable[[Tensor], Tensor]
    alone: Callable[[Tensor, "Patch"], Tensor]
    measured: Callable[[Tensor, "Patch", Objective], Slope | None]
    given: Tensor | None = None

    def __call__(self, latents: Tensor) -> Tensor:
        return self.rest(latents)

    def guests(self, latents: Tensor, patch: "Patch") -> Tensor:
        return self.alone(latents, patch)

    def slope(self, latents: Tensor, patch: "Patch", objective: Objective) -> Slope | None:
        """The objective's loss and gradient at these latents, under the positive prompt with no patch but
        the given one, in one pass that ends where the objective does. ControlNets add what they see, as
        something fixed. None if the prompt is not in use at this sigma, or no layer could be measured.

        Raises ValueError where the host cannot give gradients.
        """
        return self.measured(latents, patch, objective)


@dataclass(frozen=True, kw_only=True)
class Patch:
    """Base of every method: frozen, so one object can serve many runs. Override what the method needs."""

    label: ClassVar[str] = "Patch"
    observes: ClassVar[bool] = False  # changes nothing: goes innermost, to see what all others have done
    swaps: ClassVar[bool] = False  # swaps keys: inside all who name keys by their places
    during: PercentRange = WHOLE

    @property
    def off(self) -> bool:
        """True if the settings ask for nothing; an off patch is left out of the run."""
        return self.during.empty

    def start(self, batch: Batch) -> str | None:
        """Called before a run. Returns why there is nothing to do here, or None; raises ValueError for
        settings that do not fit the batch."""
        return None

    @property
    def guides(self) -> bool:
        """Whether `denoise` shifts the sampler's latents. Such a patch goes outermost there: latents are
        shifted once in a call of the sampler, whatever the others make of them."""
        return False

    @property
    def looking(self) -> "Patch":
        """The patch where a given picture is looked at, or followed along its noisy states: without guidance,
        and without anything that hangs on earlier steps."""
        return self

    def begin(self, batch: Batch) -> "Patch":
        """The patch that works in this run: itself, or one that holds what the run gathers."""
        return self

    def finish(self, latents: Tensor) -> str | None:
        """Called after a run that ended well, on what `begin` gave, with the latents (B, C, h, w) it made.

        Returns a remark for the report, or None.
        """
        return None

    def around(self, rows: Rows) -> AbstractContextManager[Any] | None:
        """A scope to hold open during one forward pass of the model within the range, or None."""
        return None

    def denoise(self, latents: Tensor, model: Denoiser) -> Tensor:
        """One call of the sampler, within the range or not: call `model` with what the rest shall see.

        `sigma` may be any: samplers of higher order call between the steps.
        """
        return model(latents)

    @property
    def uncontrolled(self) -> Sequence[int]:
        """Images of the batch that ControlNets leave alone during the whole run."""
        return ()

    def wants(self, site: Site) -> bool:
        """Whether to be called at this site. Within the range only; must be cheap."""
        return False

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        """Attention at a wanted site, (B, H, N, d): call `attend` with what the rest shall see."""
        return attend(qkv)


def chain(patches: Sequence[Patch], site: Site, innermost: Attend) -> Attend:
    """The patches in the order of their nodes, the last one outermost; who swaps keys inside those, and
    observers inside all others."""
    attend = innermost
    for patch in sorted(patches, key=lambda patch: (not patch.observes, not patch.swaps)):
        attend = partial(patch, site, attend=attend)
    return attend
