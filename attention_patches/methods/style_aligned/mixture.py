"""StyleAligned from several given pictures, which are no images of the batch.

The paper (Hertz et al., CVPR 2024) shows panoramas in several styles, and no code for them exists. Here each
reference r has a weight in the part of the picture that a call holds, its own times the mean of its mask over
that part, and all of them add up to 1. With b the shift and s the scale of StyleAligned:

    Q <- AdaIN to sum_r w_r (mean_r, std_r) of the references' queries; K likewise
    out = softmax(Q [K ; s K_1 ; s K_2 ; ..]^T / sqrt(d) + [0 ; b + log w_1 ; ..]) [V ; V_1 ; V_2 ; ..]

A reference of less than 0.001 is not attended to. So one reference alone is StyleAligned from that picture,
and the same picture twice is the picture once. By places instead of parts, w_r is that of each query's own
cell, in the bias as in AdaIN, which keeps the mean and deviation of the whole part that it starts from.

The references go through the model beside the run, at their own sizes, under the first row of each chunk's
conditioning, all of one size in one pass. They see nothing of the run, no ControlNet and no area.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from ...attention import memory
from ...contract.batch import Batch
from ...contract.method import Method, Part
from .blend import Blend
from .method import AdaIN
from .mixing import Mixing
from .placement import Placement
from .said import Said
from .style_reference import StyleReference
from .visiting_styles import VisitingStyles


@dataclass(frozen=True, kw_only=True)
class StyleMixture(Method):
    """The style of `references` for all images, see the module's docstring.

    `attends` is shared attention, without which AdaIN is left. `by_place` lets each cell follow the
    references of its own place, where they have masks; else a whole part of the picture follows one mixture.
    `placement` and `remark` are those of `StyleAligned`; beside the picture, all references stand at one
    place, so that the same picture twice is the picture once.
    """

    label: ClassVar[str] = "StyleAligned"
    layers: frozenset[int]
    references: tuple[StyleReference, ...]
    attends: bool = True
    adain: AdaIN = "queries and keys"
    score_shift: float = 0.0
    score_scale: float = 1.0
    by_place: bool = False
    placement: Placement = "beside"
    remark: str | None = None

    @property
    def off(self) -> bool:
        return super().off or not self.layers or not (self.attends or self.adain != "off")

    @property
    def used(self) -> tuple[StyleReference, ...]:
        """Those that say anything anywhere."""
        return tuple(reference for reference in self.references if not reference.empty)

    def start(self, batch: Batch) -> str | None:
        for reference in self.used:
            reference.check(batch.images)
        return None if self.used else "all weights of its references are 0, which is a plain run"

    def memory(self, batch: Batch) -> int:
        cells = batch.latent[0] * batch.latent[1]
        pictures = sum(one.size[0] * one.size[1] for one in self.used) / cells
        kept = round(pictures * memory.kept_keys(replace(batch, images=1), self.layers))
        joined = memory.joined_keys(batch, self.layers, math.ceil(pictures)) if self.attends else 0
        return kept + joined

    def begin(self, batch: Batch) -> Sequence[Part]:
        blend = Blend(self.attends, self.adain, self.score_shift, self.score_scale)
        visiting = VisitingStyles(self.used)
        mixing = Mixing(self.layers, self.during, blend, visiting, self.by_place, self.placement)
        return [mixing, Said(self.remark)] if self.remark and self.attends else [mixing]
