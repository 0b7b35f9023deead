"""Bounded Attention: several subjects, each in its place and each itself.

Dahary, Patashnik, Aberman, Cohen-Or, "Be Yourself: Bounded Attention for Multi-Subject Text-to-Image
Generation", ECCV 2024. `bounds.py` says what may look at what, `guidance.py` shifts the latents in the first
steps, `search.py` and `refinement.py` find the true outlines on the way, `bounding.py` joins these at work.
Masks are the boxes until a part of the schedule is done; then they are found anew from time to time. The loss
of the guidance is of the boxes always.

Differences from the authors' code:
- Times are percents of the noise schedule, theirs are numbers of steps. Both are the same with 50 steps on
  `ddim_uniform`, theirs.
- Each image of a batch stops by its own loss, theirs by the mean over the batch.
- A box or mask never vanishes on a coarse grid, and a subject that is lost keeps all of its box.
- Masks are found on a grid of 16 x 16 cells at least, where the picture is so small that theirs has fewer.
- A word's tokens are those that the encoder really gave it; every chunk of a long text has an end of its own.
- Fillers are a list of English words, theirs a tagger's parts of speech: forms of be, have and do, `very`,
  `not` and `many` are fillers here alone, modals, `him`, `where` and numbers above twelve there alone. The
  leading word of a subject is its last one, theirs its last noun.
- k-means begins 10 times instead of 100.
- The rows of the negative prompt keep their cross-attention (as there) whether or not they come in the same
  call. Any aspect ratio.

On transformers, which the paper does not know, bounds work where and as long as those have them who have
published regional prompts for them (the families say who), in the layers that `BOUNDED_PRESET` names.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from ...attention import memory
from ...contract.batch import Batch
from ...contract.layers.preset import Preset
from ...contract.method import Method, Part
from ...layout.canvas import doubt_of_canvas
from ...layout.descent import Effort
from ...layout.regions import Layout
from ...layout.shifting import Progress
from .bounding import Bounding
from .bounds import Outlines
from .guidance import BoundedGuidance
from .search import Search

BOUNDED_PRESET = "Bounded Attention's bounds"  # layers of words, layers of pixels, and until when
SEARCH_PRESET = "Bounded Attention's masks"  # the authors' layers to find subjects in
NO_GUIDANCE = BoundedGuidance(effort=Effort(0.0))


@dataclass(frozen=True, kw_only=True)
class BoundedAttention(Method):
    """Bounds for a layout, see the module's docstring.

    Masks are found from `refine_from` of the schedule on (1: never), and anew every `refine_every` of it.
    `layers` and `mask_layers` are ordinals; by default (None) they are the authors', for the bounds all those
    of a U-Net. Where nobody keeps the pixels of subjects apart, named layers bound words only.
    `shows_boxes`: the subjects' attention and their places are drawn on the node in guided steps.
    """

    label: ClassVar[str] = "BoundedAttention"
    needs_place: ClassVar[bool] = True
    layers: frozenset[int] | None = None
    layout: Layout
    refine_from: float = 0.3
    refine_every: float = 0.1
    clusters_per_subject: int = 3
    guidance: BoundedGuidance | None = None  # None: masks alone
    mask_layers: frozenset[int] | None = None
    seed: int = 0
    shows_boxes: bool = True

    @property
    def off(self) -> bool:
        return super().off or self.layout.empty or self.layers == frozenset()

    @property
    def guides(self) -> bool:
        return not (self.off or self.guidance is None or self.guidance.effort.none)

    @property
    def looking(self) -> Method:
        return replace(self, guidance=None, refine_from=1.0)

    def start(self, batch: Batch) -> str | None:
        self.layout.check(batch.images)
        self._searched(batch)
        (NO_GUIDANCE if self.guidance is None else self.guidance).watched(batch)
        return self.layout.missing(batch.texts)

    def _searched(self, batch: Batch) -> frozenset[int]:
        """Where masks are found; nowhere if they never are."""
        if self.refine_from == 1:
            return frozenset()
        return batch.preset(SEARCH_PRESET).layers if self.mask_layers is None else self.mask_layers

    def bound(
        self, every: frozenset[int], presets: Mapping[str, Preset]
    ) -> tuple[frozenset[int], frozenset[int]]:
        """Of all layers those in which words have bounds, and those in which pixels have."""
        preset = presets.get(BOUNDED_PRESET, Preset(every))
        words = preset.layers if self.layers is None else self.layers
        apart = every if preset.self_layers is None else preset.self_layers
        return words, words & apart

    def memory(self, batch: Batch) -> int:
        return memory.gradient(batch, self.guidance.watched(batch)) if self.guides and self.guidance else 0

    def begin(self, batch: Batch) -> Sequence[Part]:
        outlines = Outlines(self.layout)
        guidance = NO_GUIDANCE if self.guidance is None else self.guidance
        doubt = doubt_of_canvas(self.layout, batch.picture)
        draw = batch.draw if self.shows_boxes else None
        progress = Progress(self.layout, batch.tell, guidance.watched(batch), doubt, draw)
        words, pixels = self.bound(frozenset(batch.layer_sizes), batch.presets)
        work = Bounding(
            layers=words,
            self_layers=pixels,
            outlines=outlines,
            during=self.during,
            guide=guidance.begin(batch, outlines, (words, pixels), progress),
            progress=progress,
            search=self._search(batch),
        )
        return (work,)

    def _search(self, batch: Batch) -> Search:
        """In the layers of the finest of the grids where masks are found."""
        layers, sizes = self._searched(batch), batch.layer_sizes
        grid = max((sizes[ordinal].grid for ordinal in layers), key=math.prod, default=(1, 1))
        return Search(
            start=self.refine_from,
            every=self.refine_every,
            clusters_per_subject=self.clusters_per_subject,
            seed=self.seed,
            images=batch.images,
            layers=frozenset(n for n in layers if sizes[n].grid == grid),
            grid=grid,
        )
