"""Layout Guidance: subjects in their boxes by shifting the latents, before the picture has taken shape.

Chen, Laina, Vedaldi, "Training-Free Layout Control With Cross-Attention Guidance" (WACV 2024), section 3.3,
the backward guidance. In the first steps, before the model is asked what it sees, the latents go down the
gradient of how much of each subject's cross-attention lies outside its boxes.

Where this differs from the authors' code: every guided step looks anew, while theirs never looks again once
the loss was small in one step; boxes are rounded to the nearest cells and keep at least one, while theirs can
vanish; every token of a phrase counts, also where a word is several; each image of a batch stops by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor

from ..contract.layers import LayerMap
from ..contract.method import Attend, Batch, Denoiser, LayerSize, Patch
from ..contract.objective import Objective, Place, attention_map, descend
from ..contract.qkv import QKV
from ..contract.site import Site
from ..layout.regions import Layout, Subject
from ..layout.shifting import Effort, Progress, by_token, coarse_layers, inside

EFFORT = Effort(steps=0.2, iterations=5, target=0.2)


def misplaced(map_: Tensor, subjects: tuple[Subject, ...], masks: Tensor) -> Tensor:
    """One image's loss in one layer, 0..1: maps (H, N, T), masks (S, N).

    The squared part of a token's attention outside the boxes, of each head, then the mean over heads, the
    subject's tokens, and the subjects; 0 if there are none.
    """
    losses = [
        (1 - inside(map_, subject, cells)).square().mean()
        for subject, cells in zip(subjects, masks, strict=True)
    ]
    return torch.stack(losses).mean() if losses else map_.new_zeros(())


def authors_layers(model: LayerMap, sizes: Mapping[int, LayerSize]) -> frozenset[int]:
    """The middle block and the first level on the way up that has attention; of each module the last
    transformer, since the authors' library keeps one map for a module."""
    ends = {(layer.block, layer.number): layer.ordinal for layer in coarse_layers(model, sizes)}
    return frozenset(ends.values())


@dataclass(frozen=True, kw_only=True)
class Misplacement(Objective):
    """`misplaced`, averaged over the layers."""

    layout: Layout
    progress: Progress

    def measure(self, site: Site, qkv: QKV) -> Tensor:
        map_ = by_token(attention_map(qkv), site)
        images = site.rows.images
        self.progress.look(site, map_[:images])
        masks = [self.layout.masks(site.grid, image).to(map_) for image in range(images)]
        return torch.stack(
            [
                misplaced(own, self.layout.subjects(row % images), masks[row % images])
                for row, own in enumerate(map_)
            ]
        )

    def loss(self, measured: Mapping[Place, Tensor], images: int) -> Tensor:
        return torch.stack(list(measured.values())).mean(0)


@dataclass(frozen=True, kw_only=True)
class LayoutGuidance(Patch):
    """`loss_scale` is the length of the shifts; `layers` are those of cross-attention, None: the authors'."""

    label: ClassVar[str] = "LayoutGuidance"
    observes: ClassVar[bool] = True  # of the attention; it changes the latents between the model's calls
    layout: Layout
    effort: Effort = EFFORT
    loss_scale: float = 30.0
    layers: frozenset[int] | None = None

    @property
    def off(self) -> bool:
        return super().off or self.layout.empty or self.effort.none or self.loss_scale == 0

    @property
    def guides(self) -> bool:
        return not self.off

    @property
    def looking(self) -> Patch:
        return replace(self, effort=replace(self.effort, steps=0.0))

    def start(self, batch: Batch) -> str | None:
        self.layout.check(batch.images)
        self.layout.check_text(batch.text_tokens.get("positive", ()))
        return None

    def begin(self, batch: Batch) -> Patch:
        layout = self.layout.joined()  # the boxes of one phrase are one object
        assert batch.layers is not None
        layers = authors_layers(batch.layers, batch.sizes) if self.layers is None else self.layers
        progress = Progress(layout, batch.tell, layers)
        objective = Misplacement(
            cross_layers=layers, target=self.effort.target, layout=layout, progress=progress
        )
        return Guiding(during=self.during, spec=self, objective=objective, progress=progress)


@dataclass(frozen=True, kw_only=True)
class Guiding(Patch):
    """Layout Guidance at work in one run."""

    label: ClassVar[str] = LayoutGuidance.label
    observes: ClassVar[bool] = True
    spec: LayoutGuidance
    objective: Misplacement
    progress: Progress
    nothing: Patch = field(default_factory=Patch)

    @property
    def guides(self) -> bool:
        return True

    def denoise(self, latents: Tensor, model: Denoiser) -> Tensor:
        """Shift the sampler's latents by -scale sigma^2 dL/dx; the sampler goes on from there."""
        if model.within and self.spec.effort.done(model.progress) is not None:
            rate, iterations = self.spec.loss_scale * model.sigma**2, self.spec.effort.iterations
            losses = list(descend(latents, model, self.nothing, self.objective, rate, iterations))
            self.progress.step(model.sigma, losses)
        return model(latents)

    def wants(self, site: Site) -> bool:
        """To look at what comes of it, until the end of the run."""
        return self.progress.watches(site)

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        self.progress.watch(site, qkv)
        return attend(qkv)

    def finish(self, latents: Tensor) -> str | None:
        return " ".join(filter(None, [self.progress.guided(), self.progress.places()]))
