"""The guidance of Bounded Attention: latents whose bounded attention fills the subjects' places.

Dahary et al., "Be Yourself", ECCV 2024, section 4.2. F is the attention of a subject's cells, B that of the
background, in cross-attention to the subject's words and the end token, in self-attention to the subject's
cells. The loss of a subject is the weighted square of 1 - F / (F + S B) of both, S the number of subjects.

Step sizes are the authors', for latents of unit variance z = x / sqrt(1 + sigma^2). The host's x are larger:
dL/dz = sqrt(1 + sigma^2) dL/dx, and a step of eta dL/dz in z is one of eta (1 + sigma^2) dL/dx in x.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ...contract.layers import LayerMap
from ...contract.method import Attend, Batch, Denoiser, LayerSize
from ...contract.objective import Objective, Place, attention_map, descend
from ...contract.qkv import QKV
from ...contract.site import Site
from ...layout.regions import Layout, background
from ...layout.shifting import Effort, Progress, by_token, coarse_layers
from .bounds import Bounds, Places

Strength = tuple[float, float]
"""Step size at the first guided step, and the one it falls to in a straight line behind the last."""

EFFORT = Effort(steps=0.3, iterations=5, target=0.2)
SHALLOW_STRENGTH: Strength = (8.0, 2.0)  # the authors' for SD1.5
DEEP_STRENGTH: Strength = (18.0, 5.0)  # the authors' for SDXL


def deep(model: LayerMap) -> bool:
    """Whether modules hold more than two transformers, as in SDXL."""
    return any(layer.index > 1 for layer in model.layers)


def authors_strength(model: LayerMap) -> Strength:
    return DEEP_STRENGTH if deep(model) else SHALLOW_STRENGTH


def authors_layers(model: LayerMap, sizes: Mapping[int, LayerSize]) -> frozenset[int]:
    """Where the loss looks: the middle and the first level on the way up (SD1.5), or, where modules are deep,
    transformers 1 to 6 of the first module on the way up (SDXL)."""
    coarse = coarse_layers(model, sizes)
    if not deep(model):
        return frozenset(layer.ordinal for layer in coarse)
    first = next(layer.number for layer in coarse if layer.block == "output")
    return frozenset(
        layer.ordinal
        for layer in coarse
        if (layer.block, layer.number) == ("output", first) and 1 <= layer.index <= 6
    )


def step_size(strength: Strength, done: float, sigma: float) -> float:
    """Of the host's latents, at the fraction `done` of the guided steps."""
    start, end = strength
    return (start + (end - start) * done) * (1 + sigma**2)


def cross_masses(map_: Tensor, masks: Tensor, layout: Layout, image: int) -> Tensor:
    """(H, N, T) and (S, N) -> (S, 2): F and B of each subject."""
    empty, summed = background(masks), map_.sum(0)
    words = [[*subject.token_positions, *layout.ends] for subject in layout.subjects(image)]
    seen = [summed[:, columns].sum(-1) for columns in words]
    return torch.stack(
        [torch.stack([own @ mask, own @ empty]) for own, mask in zip(seen, masks, strict=True)]
    )


def self_masses(map_: Tensor, masks: Tensor) -> Tensor:
    """(H, N, N) and (S, N) -> (S, 2): F and B of each subject."""
    seen = map_.sum(0) @ masks.T  # (N, S): what each cell gives to each subject
    return torch.stack([(seen * masks.T).sum(0), background(masks) @ seen], dim=-1)


def subject_losses(masses: Tensor) -> Tensor:
    """(S, 2) -> (S,): squares of 1 - F / (F + S B)."""
    front, back = masses.unbind(-1)
    whole = front + len(masses) * back
    return (1 - front / whole.clamp_min(torch.finfo(whole.dtype).tiny)).square()


@dataclass(frozen=True, kw_only=True)
class Spill(Objective):
    """The loss of both attentions, a mean over an image's subjects; the paper's is the sum."""

    places: Places
    cross_weight: float = 1.5
    self_weight: float = 0.5

    def measure(self, site: Site, qkv: QKV) -> Tensor:
        """(rows, subjects, 2), F and B; images with fewer subjects than others end with zeros."""
        map_ = attention_map(qkv)
        images = site.rows.images
        if site.kind == "cross":
            map_ = by_token(map_, site)
        layout = self.places.layout
        most = max(len(subjects) for subjects in layout.images)
        measured = map_.new_zeros(len(map_), most, 2)
        for row, own in enumerate(map_):
            image = row % images
            masks = self.places.masks(site.grid, image).to(own)
            if len(masks):
                masses = (
                    self_masses(own, masks)
                    if site.kind == "self"
                    else cross_masses(own, masks, layout, image)
                )
                measured[row, : len(masks)] = masses
        return measured

    def loss(self, measured: Mapping[Place, Tensor], images: int) -> Tensor:
        rows = len(next(iter(measured.values())))
        total = next(iter(measured.values())).new_zeros(rows)
        for kind, weight in (("cross", self.cross_weight), ("self", self.self_weight)):
            found = [masses for (_, of), masses in measured.items() if of == kind]
            if found and weight:
                total = total + weight * self._losses(torch.stack(found).mean(0), images)
        return total

    def _losses(self, masses: Tensor, images: int) -> Tensor:
        counts = [len(self.places.layout.subjects(row % images)) for row in range(len(masses))]
        return torch.stack(
            [
                subject_losses(own[:count]).mean() if count else own.new_zeros(())
                for own, count in zip(masses, counts, strict=True)
            ]
        )


@dataclass(frozen=True, kw_only=True)
class Guidance:
    """How the latents are shifted: `strength` and `layers` (ordinals) are by default the authors' for the
    kind of model."""

    effort: Effort = EFFORT
    strength: Strength | None = None
    cross_weight: float = 1.5
    self_weight: float = 0.5
    layers: frozenset[int] | None = None

    def watched(self, model: LayerMap, sizes: Mapping[int, LayerSize]) -> frozenset[int]:
        """Ordinals of the layers that the loss looks at."""
        return authors_layers(model, sizes) if self.layers is None else self.layers

    def begin(
        self, batch: Batch, places: Places, bounded: frozenset[int], progress: Progress
    ) -> "Guide | None":
        """What guides one run, or None if there is nothing to do; `bounded` are the layers with masks."""
        assert batch.layers is not None
        strength = authors_strength(batch.layers) if self.strength is None else self.strength
        if self.effort.none or not any(strength) or not (self.cross_weight or self.self_weight):
            return None
        layers = self.watched(batch.layers, batch.sizes)
        spill = Spill(
            cross_layers=layers if self.cross_weight else frozenset(),
            self_layers=layers if self.self_weight else frozenset(),
            target=self.effort.target,
            places=places,
            cross_weight=self.cross_weight,
            self_weight=self.self_weight,
        )
        subjects = [len(places.layout.subjects(image)) for image in range(batch.images)]
        bounds = GuidingBounds(layers=bounded, places=places, guiding=True, progress=progress)
        return Guide(self.effort, strength, spill, bounds, progress, torch.tensor(subjects))


@dataclass(frozen=True, kw_only=True)
class GuidingBounds(Bounds):
    """The masks of a gradient's pass; the first one tells where the words would be seen without them."""

    progress: Progress

    def wants(self, site: Site) -> bool:
        return super().wants(site) or self.progress.unseen(site)

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        if self.progress.unseen(site):
            self.progress.watch(site, qkv)
        return super().__call__(site, qkv, attend) if site.layer.ordinal in self.layers else attend(qkv)


@dataclass(frozen=True)
class Guide:
    """Bounded Attention's guidance at work in one run."""

    effort: Effort
    strength: Strength
    spill: Spill
    bounds: Bounds
    progress: Progress
    subjects: Tensor  # (images,): the loss is a mean over them, and the paper steps down their sum

    def shift(self, latents: Tensor, model: Denoiser) -> None:
        """Shift the sampler's latents in place, in the guided part of its steps."""
        done = self.effort.done(model.progress)
        if done is None:
            return
        rates = step_size(self.strength, done, model.sigma) * self.subjects
        losses = list(descend(latents, model, self.bounds, self.spill, rates, self.effort.iterations))
        self.progress.step(model.sigma, losses)
