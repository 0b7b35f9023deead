"""Bounded Attention: several subjects, each in its place and each itself.

Dahary, Patashnik, Aberman, Cohen-Or, "Be Yourself: Bounded Attention for Multi-Subject Text-to-Image
Generation", ECCV 2024. `bounds.py` says what may look at what, `bounded_guidance.py` shifts the latents in
the first steps, `refinement.py` finds the subjects' true outlines on the way. Masks are the boxes until a
share of the steps is done; then they are found anew every few steps.

Differences from the authors' code: a box or mask never vanishes on a coarse grid; a word's tokens are those
that the encoder really gave it; k-means begins 10 times instead of 100; the rows of the negative prompt keep
their cross-attention (as there) whether or not they come in the same call; any aspect ratio.
"""

import math
from dataclasses import dataclass, field, replace
from typing import ClassVar

from torch import Tensor

from ...contract.method import Attend, Batch, Denoiser, Patch
from ...contract.qkv import QKV
from ...contract.site import Site
from ...layout.regions import Layout
from ...layout.shifting import Effort, Progress
from .bounds import Bounds, Places
from .guidance import Guidance, Guide
from .refinement import Evidence, refine

FEWEST_CELLS = 256  # of the grid on which subjects are found again, where a model has it


@dataclass(frozen=True, kw_only=True)
class BoundedAttention(Patch):
    """Bounds for a layout, see the module's docstring.

    `refine_from` is the share of the steps after which masks are found, 1 for never; `refine_every` is in
    steps. `mask_layers` are ordinals; by default the coarsest grid of at least 16 x 16 of the output blocks.
    """

    label: ClassVar[str] = "BoundedAttention"
    layers: frozenset[int]
    layout: Layout
    refine_from: float = 0.3
    refine_every: int = 5
    clusters_per_subject: int = 3
    guidance: Guidance | None = None  # None: masks alone
    mask_layers: frozenset[int] | None = None
    seed: int = 0

    @property
    def off(self) -> bool:
        return super().off or self.layout.empty or not self.layers

    def start(self, batch: Batch) -> str | None:
        self.layout.check(batch.images)
        self.layout.check_text(batch.text_tokens.get("positive", ()))
        return None

    @property
    def guides(self) -> bool:
        return not (self.off or self.guidance is None or self.guidance.effort.none)

    @property
    def looking(self) -> Patch:
        return replace(self, guidance=None, refine_from=1.0)

    def begin(self, batch: Batch) -> Patch:
        layers = finding_layers(batch) if self.mask_layers is None else self.mask_layers
        grid = max((batch.sizes[ordinal].grid for ordinal in layers), key=math.prod)
        places = Places(self.layout)
        assert batch.layers is not None
        guidance = Guidance(effort=Effort(0.0)) if self.guidance is None else self.guidance
        watched = guidance.watched(batch.layers, batch.sizes)
        progress = Progress(self.layout, batch.tell, watched)
        return Bounding(
            during=self.during,
            layers=self.layers,
            places=places,
            spec=self,
            batch=batch,
            guide=guidance.begin(batch, places, self.layers, progress),
            progress=progress,
            finding=frozenset(n for n in layers if batch.sizes[n].grid == grid),
            grid=grid,
        )


def finding_layers(batch: Batch) -> frozenset[int]:
    """The layers of the output blocks whose grid has 256 cells at least, and as few as possible.

    Those of the paper: 16 x 16 in SD1.5 at 512 pixels, 32 x 32 in SDXL at 1024.
    """
    assert batch.layers is not None
    names = {layer.ordinal: layer.block for layer in batch.layers.layers}
    chosen = [n for n in batch.sizes if names[n] == "output"] or list(batch.sizes)
    cells = {n: math.prod(batch.sizes[n].grid) for n in chosen}
    enough = [n for n in chosen if cells[n] >= FEWEST_CELLS]
    best = min(cells[n] for n in enough) if enough else max(cells.values())
    return frozenset(n for n in chosen if cells[n] == best)


@dataclass(frozen=True, kw_only=True)
class Bounding(Bounds):
    """Bounded Attention at work in one run."""

    spec: BoundedAttention
    batch: Batch
    finding: frozenset[int]
    grid: tuple[int, int]
    guide: Guide | None
    progress: Progress
    evidence: Evidence = field(default_factory=Evidence)
    centres: dict[int, Tensor] = field(default_factory=dict)
    rounds: list[int] = field(default_factory=list)  # the step of each refinement
    lost: set[tuple[int, int]] = field(default_factory=set)  # (image, subject) that once had no cluster

    @property
    def guides(self) -> bool:
        return self.guide is not None

    def wants(self, site: Site) -> bool:
        return super().wants(site) or self._finds(site) or self.progress.watches(site)

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        self.progress.watch(site, qkv)
        bounded = self.bounded(site, qkv) if site.layer.ordinal in self.layers else qkv
        if self._finds(site) and not qkv.swapped:
            self._gather(site, bounded)
        return attend(bounded)

    def denoise(self, latents: Tensor, model: Denoiser) -> Tensor:
        if model.within and self._refines:
            self._refine_if_due(model.progress)
        if model.within and self.guide is not None:
            self.guide.shift(latents, model)
        return model(latents)

    def finish(self, latents: Tensor) -> str | None:
        guided = [] if self.guide is None else [self.progress.guided()]
        steps = ", ".join(str(step + 1) for step in self.rounds)
        found = [f"Masks found anew at steps {steps}."] if steps else []
        lost = [self._remark(image, number) for image, number in sorted(self.lost)]
        return " ".join(filter(None, [*guided, self.progress.places(), *found, *lost])) or None

    def _remark(self, image: int, number: int) -> str:
        phrase = self.places.layout.subjects(image)[number].phrase
        return f"Subject {number + 1} ({phrase}) of image {image} was not found at times and kept its box."

    @property
    def _refines(self) -> bool:
        return self.spec.refine_from < 1

    def _finds(self, site: Site) -> bool:
        return self._refines and site.layer.ordinal in self.finding and site.kind != "joint"

    def _gather(self, site: Site, qkv: QKV) -> None:
        """What the subjects look at, from the rows of the prompt."""
        for text, (_, rows) in zip(site.rows.texts, site.rows.chunks, strict=False):
            if text is None or text.role != self.role or text.entry != 0:
                continue
            if site.kind == "self":
                self.evidence.add_self(qkv, rows)
            else:
                self.evidence.add_cross(qkv, rows, text.tokens, self._leading)

    @property
    def _leading(self) -> list[tuple[int, ...]]:
        layout = self.places.layout
        return [tuple(s.leading for s in layout.subjects(i)) for i in range(self.batch.images)]

    def _refine_if_due(self, progress: float) -> None:
        """Before the first call of a step; samplers may call several times in it."""
        step = math.floor(progress * self.batch.steps + 1e-4)
        first = math.ceil(self.spec.refine_from * self.batch.steps - 1e-4)
        if step < max(first, 1) or (self.rounds and step < self.rounds[-1] + self.spec.refine_every):
            return
        found = [self._refine(image) for image in range(self.batch.images)]
        if any(found):
            self.rounds.append(step)
            self.kept.clear()
            if self.guide is not None:
                self.guide.bounds.kept.clear()

    def _refine(self, image: int) -> bool:
        layout, evidence = self.places.layout, self.evidence
        subjects = len(layout.subjects(image))
        if not subjects or not evidence.complete(image):
            return False
        refined = refine(
            evidence.own[image].mean,
            evidence.words[image].mean,
            self.places.masks(self.grid, image),
            layout.masks(self.grid, image),
            self.spec.clusters_per_subject * subjects,
            self.spec.seed,
            self.centres.get(image),
        )
        self.centres[image] = refined.centres
        self.lost.update((image, subject) for subject in refined.lost)
        self.places.found[image] = refined.masks.unflatten(1, self.grid)
        return True
