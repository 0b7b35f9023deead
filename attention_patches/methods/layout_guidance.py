"""Layout Guidance: subjects in their boxes by shifting the latents, before the picture has taken shape.

Chen, Laina, Vedaldi, "Training-Free Layout Control With Cross-Attention Guidance" (WACV 2024), section 3.3,
the backward guidance. In the first steps, before the model is asked what it sees, the latents go down the
gradient of how much of each subject's cross-attention lies outside its boxes.

Where this differs from the authors' code:
- Every guided step looks anew, and shifts an image not at all that its first look finds at the target;
  theirs never looks again once the loss was small in one step. So a step hangs on nothing that earlier ones
  have seen, and two halves of a run equal one.
- Steps are guided until 0.2 of the noise schedule, which are theirs, 10 of 51, on `normal`.
- Boxes are rounded to the nearest cells and keep at least one, while theirs can vanish.
- Every token of a phrase's words counts, also where a word is several, but those of fillers (`a`, `of`) do
  not, which theirs counts as well; each image of a batch stops by itself.

On transformers, for which nobody has published it, it looks at the layers in which words lie best; a step has
the authors' form there too: by sigma^2 the shift of latents of unit variance is the part of the noise in
these, in flows as elsewhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from ..attention import memory
from ..attention.attention_map import attention_map, by_token, rows_of
from ..contract.attention_part import Attend, Order, StepAside
from ..contract.batch import Batch
from ..contract.call.qkv import QKV
from ..contract.call.site import WHOLE_PICTURE, Site
from ..contract.denoiser import Denoiser
from ..contract.method import Method, Part
from ..contract.objective import LayerAttention, Objective
from ..layout.canvas import doubt_of_canvas
from ..layout.descent import Effort, descend
from ..layout.regions import Layout, Subject
from ..layout.shifting import Progress, inside

LAYOUT_PRESET = "Layout Guidance"  # the authors' layers
EFFORT = Effort(until=0.2, iterations=5, target=0.2)


def misplaced(map_: Tensor, subjects: Iterable[tuple[Subject, Tensor]]) -> Tensor:
    """One image's loss in one layer, 0..1: maps (H, N, T), subjects with their cells (N,).

    The squared part of a token's attention outside the boxes, of each head, then the mean over heads, the
    subject's tokens, and the subjects; 0 if there are none.
    """
    losses = [(1 - inside(map_, subject, cells)).square().mean() for subject, cells in subjects]
    return torch.stack(losses).mean() if losses else map_.new_zeros(())


@dataclass(frozen=True, kw_only=True)
class Misplacement(Objective):
    """`misplaced`, averaged over the layers."""

    layout: Layout
    progress: Progress

    def measure(self, site: Site, qkv: QKV) -> Tensor:
        """(rows,)"""
        losses = []
        for text, rows, window in site.rows.by_text:
            map_ = by_token(attention_map(rows_of(qkv, rows)), text.tokens)
            place = window or WHOLE_PICTURE
            self.progress.look(site, map_, place)
            where = self.progress.where(site, map_, place)
            for image, own in enumerate(map_):
                subjects = self.layout.subjects(image)
                losses.append(misplaced(own, [(subjects[n], cells) for n, cells in where.of_image(image)]))
        return torch.stack(losses)

    def loss(self, measured: Mapping[LayerAttention, Tensor], images: int) -> Tensor:
        return torch.stack(list(measured.values())).mean(0)


@dataclass(frozen=True, kw_only=True)
class LayoutGuidance(Method):
    """`loss_scale` is the length of the shifts; `layers` are those of cross-attention, None: the authors'.

    `shows_boxes`: the subjects' attention and their places are drawn on the node in guided steps.
    """

    label: ClassVar[str] = "LayoutGuidance"
    needs_place: ClassVar[bool] = True
    layout: Layout
    effort: Effort = EFFORT
    loss_scale: float = 30.0
    layers: frozenset[int] | None = None
    shows_boxes: bool = True

    @property
    def off(self) -> bool:
        return super().off or self.layout.empty or self.effort.none or self.loss_scale == 0

    @property
    def guides(self) -> bool:
        return not self.off

    @property
    def looking(self) -> Method:
        return replace(self, effort=replace(self.effort, until=0.0))

    def start(self, batch: Batch) -> str | None:
        self.layout.check(batch.images)
        self._watched(batch)
        return self.layout.missing(batch.texts)

    def _watched(self, batch: Batch) -> frozenset[int]:
        return batch.preset(LAYOUT_PRESET).layers if self.layers is None else self.layers

    def memory(self, batch: Batch) -> int:
        return memory.gradient(batch, self._watched(batch))

    def begin(self, batch: Batch) -> Sequence[Part]:
        layout = self.layout.joined()  # the boxes of one phrase are one object
        layers = self._watched(batch)
        doubt = doubt_of_canvas(layout, batch.picture)
        draw = batch.draw if self.shows_boxes else None
        progress = Progress(layout, batch.tell, layers, doubt, draw)
        objective = Misplacement(
            cross_layers=layers,
            prompt=layout.prompt,
            layout=layout,
            progress=progress,
        )
        looked = None if batch.layers.nested else batch.layers.named(layers)
        return (Guiding(spec=self, objective=objective, progress=progress, looked=looked),)


@dataclass(kw_only=True)
class Guiding:
    """Layout Guidance at work in one run; of attention it only looks at what comes of it."""

    order: ClassVar[Order] = "observe"
    spec: LayoutGuidance
    objective: Misplacement
    progress: Progress
    looked: str | None = None  # at which layers, if that is worth a word

    def shift(self, latents: Tensor, model: Denoiser) -> bool:
        """Shift the sampler's latents by -scale sigma^2 dL/dx."""
        if not model.within(self.spec.during) or self.spec.effort.done(model) is None:
            return False
        rate, effort = self.spec.loss_scale * model.sigma**2, self.spec.effort
        losses = list(descend(latents, model, None, self.objective, rate, effort, at_least_once=False))
        self.progress.step(model.sigma, losses)
        return bool(losses)

    def wants(self, site: Site) -> bool | StepAside:
        return self.progress.watches(site)

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        self.progress.watch(site, qkv)
        return attend(qkv)

    def finish(self, latents: Tensor) -> str | None:
        looked = f"Looked at {self.looked}." if self.looked else None
        return " ".join(filter(None, [self.progress.guided(), looked, self.progress.places()]))
