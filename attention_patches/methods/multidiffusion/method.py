"""Large pictures from windows of the size that a model was trained on.

Bar-Tal, Yariv, Lipman, Dekel, "MultiDiffusion: Fusing Diffusion Paths for Controlled Image Generation", ICML
2023, arXiv 2302.08113: equation 5 (windows), section 4.2 and appendix A.2 (regions, bootstrapping).

The authors average latents behind each step of DDIM. Here the pictures expected under noise are averaged, in
each call of the sampler: with DDIM it is the same, and it holds for any sampler, since none of them keeps
anything by window. The authors leave out what their windows do not reach at the right and bottom edges; here
the last window lies at the edge. They average the windows of all prompts; here a window in which a prompt has
no cell is left out, which changes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import ClassVar

import torch
from torch import Tensor

from ...contract.batch import Batch
from ...contract.method import Method, Part
from ...contract.schedule import PercentRange
from ...contract.views import RegionPrompts, Through, View
from .regions import Backgrounds, Region, constants, masks, stand_in
from .windows import Weighting, Windows


@dataclass(frozen=True, kw_only=True)
class MultiDiffusion(Method):
    """Windows of `window` (height, width) cells, `stride` cells apart, at most `per_call` of them in one call
    of the model. With `wrap` they go round the right edge, and the picture is closed.

    Regions have prompts of their own. Up to `bootstrap` of the schedule each of them sees a background of one
    colour outside its mask: `backgrounds` (n, C, h, w) in the model's latents at the windows' size, or
    constants of the latents without them, drawn by `seed`. Paper: windows of 64, stride 8, 0.4 (20 of 50
    steps).
    """

    label: ClassVar[str] = "MultiDiffusion"
    window: tuple[int, int] = (64, 64)
    stride: int = 8
    wrap: bool = False
    per_call: int = 4
    weighting: Weighting = "uniform"
    regions: tuple[Region, ...] = ()
    bootstrap: float = 0.4
    backgrounds: Tensor | None = None
    seed: int = 0

    @property
    def looking(self) -> "MultiDiffusion":
        return replace(self, bootstrap=0.0)

    @property
    def region_prompts(self) -> Sequence[RegionPrompts]:
        return [region.prompts for region in self.regions]

    def windows(self, latent: tuple[int, int]) -> Windows:
        """Of latents (height, width)."""
        return Windows(latent, self.window, self.stride, self.wrap, self.weighting)

    def start(self, batch: Batch) -> str | None:
        if self.regions:
            masks(self.regions, batch.latent, batch.cell, batch.images)
        elif (windows := self.windows(batch.latent)).one:
            open_ = self.left_open(windows, batch.cell)
            return "; ".join(filter(None, ["one window holds the whole picture", open_]))
        return None

    def left_open(self, windows: Windows, cell: int) -> str | None:
        """What to say if `wrap` closes nothing; `cell` is the side of a cell in pixels."""
        if not self.wrap or windows.closed:
            return None
        return (
            "wrap closes nothing, as no window goes round the right edge: take a stride below "
            f"{windows.shape[1] * cell} pixels"
        )

    def largest_call(self, batch: Batch) -> tuple[int, tuple[int, int]] | None:
        windows = self.windows(batch.latent)
        if windows.one and not self.regions:
            return None
        views = len(windows.cells) * (1 + len(self.regions))
        return min(self.per_call, views), windows.shape

    def begin(self, batch: Batch) -> Sequence[Part]:
        assert batch.noise is not None, "a run has noise when its methods begin"
        held = masks(self.regions, batch.latent, batch.cell, batch.images)
        return [Fusing(self, self.windows(batch.latent), held, batch.noise, batch.cell)]


@dataclass
class Fusing:
    """MultiDiffusion in one run: `masks` (1 + regions, 1 or B, H, W), `noise` (B, C, H, W), `cell` the side
    of a cell in pixels."""

    spec: MultiDiffusion
    windows: Windows
    masks: Tensor
    noise: Tensor
    cell: int

    def __post_init__(self) -> None:
        total = torch.zeros_like(self.masks[0])
        for view in self._all():
            view.cells.add(total, self.weights(view))
        seen = [view for view in self._all() if self.weights(view).any()]
        self.views = [replace(view, share=self.weights(view) / view.cells.cut(total)) for view in seen]
        self.own_noise = stand_in(self.noise, self.spec.seed)
        channels = self.noise.shape[1]
        pictures = self.spec.backgrounds
        own = constants(channels, self.spec.seed) if pictures is None else pictures
        self.backgrounds = Backgrounds(own, self.spec.seed)

    def _all(self) -> Iterator[View]:
        regions = [None, *range(len(self.spec.regions))]
        for cells, region in product(self.windows.cells, regions):
            yield View(cells, region)

    def mask(self, view: View) -> Tensor:
        """(1 or B, h, w): where in a window its prompts hold."""
        return view.cells.cut(self.masks[0 if view.region is None else 1 + view.region])

    def weights(self, view: View) -> Tensor:
        """(1 or B, h, w): what its cells weigh among those of all views."""
        return self.windows.weights * self.mask(view)

    def expect(self, latents: Tensor, through: Through) -> Tensor | None:
        like = latents.new_zeros((), dtype=torch.promote_types(latents.dtype, torch.float32))
        self.masks = self.masks.to(latents.device)
        seen = self._seen(latents, through)
        total = None
        while some := list(islice(seen, self.spec.per_call)):
            views, inputs = zip(*some, strict=True)
            found = through(views, inputs)
            if total is None:
                total = like.new_zeros(*found.shape[1:-2], *latents.shape[-2:])
            for view, pictures in zip(views, found, strict=True):
                assert view.share is not None
                view.cells.add(total, pictures.to(like) * _beside(view.share.to(like), latents))
        return None if total is None else total.to(latents)

    def _seen(self, latents: Tensor, through: Through) -> Iterator[tuple[View, Tensor]]:
        """All views, and what the model gets of each, (B, C, h, w)."""
        early = through.within(PercentRange(0.0, self.spec.bootstrap))
        drawn = self.backgrounds.drawn(through.sigma, len(self.views))
        for view, colour in zip(self.views, drawn, strict=True):
            own = view.cells.cut(latents)
            if early and view.region is not None and through.stands(view.region):
                noise = view.cells.cut(self.own_noise).to(own)
                mask = _beside(self.mask(view).to(own), own)
                ground = self.backgrounds.cut(colour, view.cells).to(own)
                own = mask * own + (1 - mask) * through.noised(ground, noise)
            yield view, own

    def finish(self, latents: Tensor) -> str | None:
        height, width = (side * self.cell for side in self.windows.shape)
        windows = f"{len(self.windows.cells)} windows of {width} x {height} pixels"
        regions = f", {len(self.spec.regions)} regions" if self.spec.regions else ""
        said = f"{windows}{regions}: {len(self.views)} views in each call of the sampler"
        return "; ".join(filter(None, [said, self.spec.left_open(self.windows, self.cell)])) + "."


def _beside(mask: Tensor, latents: Tensor) -> Tensor:
    """(1 or B, h, w) with sides of 1 for the channels of latents (B, C, ..., H, W)."""
    return mask.reshape(len(mask), *[1] * (latents.ndim - 3), *mask.shape[-2:])
