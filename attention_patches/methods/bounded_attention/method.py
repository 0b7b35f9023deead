"""Bounded Attention: several subjects, each in its place and each itself.

Dahary, Patashnik, Aberman, Cohen-Or, "Be Yourself: Bounded Attention for Multi-Subject Text-to-Image
Generation", ECCV 2024. `bounds.py` says what may look at what, `guidance.py` shifts the latents in the first
steps, `refinement.py` finds the subjects' true outlines on the way. Masks are the boxes until a part of the
schedule is done; then they are found anew from time to time. The loss of the guidance is of the boxes always.

Differences from the authors' code:
- Times are percents of the noise schedule, theirs are numbers of steps. Both are the same with 50 steps on
  `ddim_uniform`, theirs.
- Each image of a batch stops by its own loss, theirs by the mean over the batch.
- A box or mask never vanishes on a coarse grid, and a subject that is lost keeps all of its box.
- Masks are found on a grid of 16 x 16 cells at least, where the picture is so small that theirs has fewer.
- A word's tokens are those that the encoder really gave it; every chunk of a long text has an end of its own.
- k-means begins 10 times instead of 100.
- The rows of the negative prompt keep their cross-attention (as there) whether or not they come in the same
  call. Any aspect ratio.

On transformers, which the paper does not know, bounds work where and as long as those have them who have
published regional prompts for them (the families say who), in the layers that `BOUNDED_PRESET` names.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from torch import Tensor

from ...attention import memory
from ...contract.attention_part import Attend, StepAside
from ...contract.batch import Batch
from ...contract.denoiser import Denoiser
from ...contract.layers import Preset
from ...contract.method import Method, Part
from ...contract.qkv import QKV
from ...contract.schedule import PercentRange
from ...contract.site import Site
from ...layout.canvas import doubt_of_canvas
from ...layout.descent import Effort
from ...layout.regions import Layout
from ...layout.shifting import Progress
from .bounds import Bounds, Outlines
from .guidance import BoundedGuidance, Guide
from .refinement import Evidence, refine

BOUNDED_PRESET = "Bounded Attention's bounds"  # layers of words, layers of pixels, and until when
SEARCH_PRESET = "Bounded Attention's masks"  # the authors' layers to find subjects in
IN_A_PART = "the prompt has a part of the picture, and outlines are found in the whole one: boxes stay"
NO_GUIDANCE = BoundedGuidance(effort=Effort(0.0))


@dataclass(frozen=True, kw_only=True)
class BoundedAttention(Method):
    """Bounds for a layout, see the module's docstring.

    Masks are found from `refine_from` of the schedule on (1: never), and anew every `refine_every` of it.
    `layers` and `mask_layers` are ordinals; by default (None) they are the authors', for the bounds all those
    of a U-Net. Where nobody keeps the pixels of subjects apart, named layers bound words only.
    `shows_boxes`: the subjects' attention and their places are drawn on the node at every guided step.
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
        layers = self._searched(batch)
        grid = max((batch.layer_sizes[ordinal].grid for ordinal in layers), key=math.prod, default=(1, 1))
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
            spec=self,
            images=batch.images,
            guide=guidance.begin(batch, outlines, (words, pixels), progress),
            progress=progress,
            finding=frozenset(n for n in layers if batch.layer_sizes[n].grid == grid),
            grid=grid,
        )
        return (work,)


@dataclass(kw_only=True)
class Bounding(Bounds):
    """Bounded Attention at work in one run."""

    spec: BoundedAttention
    images: int
    finding: frozenset[int]
    grid: tuple[int, int]
    guide: Guide | None
    progress: Progress
    evidence: Evidence = field(default_factory=Evidence)
    centres: dict[int, Tensor] = field(default_factory=dict)
    rounds: dict[int, float] = field(default_factory=dict)  # which refinement -> when, in percent
    lost: set[tuple[int, int]] = field(default_factory=set)  # (image, subject) that once had no cluster

    def wants(self, site: Site) -> bool | StepAside:
        wanted = super().wants(site) or self._finds(site) or self.progress.watches(site)
        if wanted and self._finds(site) and self._in_a_part(site):
            return StepAside(IN_A_PART, partly=True)
        return wanted

    def _in_a_part(self, site: Site) -> bool:
        """Whether the prompt has a part of the picture only, in this call."""
        windows = [window for text, _, window in site.rows.by_text if self._is_own(text)]
        return bool(windows) and not any(window is not None and window.whole for window in windows)

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        self.progress.watch(site, qkv)
        bounded = self.bounded(site, qkv) if self.bounds(site) else qkv
        if self._finds(site) and not qkv.swapped:
            self._gather(site, bounded)
        return attend(bounded)

    def shift(self, latents: Tensor, model: Denoiser) -> bool:
        """Find the subjects anew if it is time, and let the guidance shift the latents."""
        if not model.within(self.spec.during):
            return False
        if self._refines and model.within(PercentRange(self.spec.refine_from, 1.0)):
            self._refine_if_due(model.percent)
        return self.guide is not None and self.guide.shift(latents, model)

    def finish(self, latents: Tensor) -> str | None:
        guided = [] if self.guide is None else [self.progress.guided()]
        times = ", ".join(f"{percent:.2f}" for percent in self.rounds.values())
        found = [f"Masks found anew at {times} of the schedule."] if times else []
        lost = [self._remark(image, number) for image, number in sorted(self.lost)]
        return " ".join(filter(None, [*guided, self.progress.places(), *found, *lost])) or None

    def _remark(self, image: int, number: int) -> str:
        phrase = self.outlines.layout.subjects(image)[number].phrase
        return f"{phrase!r} of image {image} was not found at times and kept its box."

    @property
    def _refines(self) -> bool:
        return self.spec.refine_from < 1

    def _finds(self, site: Site) -> bool:
        return self._refines and site.layer.ordinal in self.finding and site.kind != "joint"

    def _gather(self, site: Site, qkv: QKV) -> None:
        """What the subjects look at, from the rows of the prompt where it has the whole picture."""
        for text, rows, window in site.rows.by_text:
            if window is None or not window.whole or not self._is_own(text):
                continue
            if site.kind == "self":
                self.evidence.add_self(qkv, rows)
            else:
                self.evidence.add_cross(qkv, rows, text.tokens, self._leading)

    @property
    def _leading(self) -> list[tuple[int, ...]]:
        layout = self.outlines.layout
        return [tuple(s.leading for s in layout.subjects(i)) for i in range(self.images)]

    def _refine_if_due(self, percent: float) -> None:
        """At the first call of the sampler behind each due time."""
        every = max(self.spec.refine_every, 1e-6)
        due = math.floor((percent - self.spec.refine_from) / every + 1e-4)
        if self.rounds and due <= max(self.rounds):
            return
        found = [self._refine(image) for image in range(self.images)]
        if any(found):
            self.rounds[due] = percent
            self.kept.clear()
            if self.guide is not None:
                self.guide.bounds.kept.clear()

    def _refine(self, image: int) -> bool:
        layout, evidence = self.outlines.layout, self.evidence
        subjects = len(layout.subjects(image))
        if not subjects or not evidence.complete(image):
            return False
        refined = refine(
            evidence.own[image].values,
            evidence.words[image].values.T,
            self.outlines.masks(self.grid, image),
            layout.masks(self.grid, image),
            self.spec.clusters_per_subject * subjects,
            self.spec.seed,
            self.centres.get(image),
        )
        self.centres[image] = refined.centres
        self.lost.update((image, subject) for subject in refined.lost)
        self.outlines.found[image] = refined.masks.unflatten(1, self.grid)
        return True
