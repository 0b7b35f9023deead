"""The guidance of Bounded Attention: latents whose bounded attention fills the subjects' places.

Dahary et al., "Be Yourself", ECCV 2024, section 4.2. F is the attention of a subject's cells, B that of the
background, in cross-attention to the subject's words and the end token, in self-attention to the subject's
cells. The loss of a subject is the weighted square of 1 - F / (F + S B) of both, S the number of subjects.

Step sizes are the authors', for latents of unit variance z = x / sqrt(1 + sigma^2). The host's x are larger:
dL/dz = sqrt(1 + sigma^2) dL/dx, and a step of eta dL/dz in z is one of eta (1 + sigma^2) dL/dx in x. Latents
of flow models are (1 - sigma) times the picture: there (1 - sigma)^2 takes the place of 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ...attention.attention_map import by_token, rows_of, summed_map
from ...contract.attention_part import Attend, StepAside
from ...contract.batch import Batch
from ...contract.denoiser import Denoiser
from ...contract.objective import LayerAttention, Objective
from ...contract.qkv import QKV
from ...contract.site import WHOLE_PICTURE, Site, Window
from ...layout.descent import Effort, descend
from ...layout.regions import Layout, background
from ...layout.shifting import Progress
from .bounds import Bounds, Outlines

GUIDANCE_PRESET = "Bounded Attention's guidance"  # the authors' layers and step sizes
StepSizes = tuple[float, float]
"""Of the first guided step, and that to which it falls in a straight line until guidance ends."""

FIRST_STEP_AT = 0.018  # of the authors' 50 on the noise schedule: where the first step size holds
EFFORT = Effort(until=0.3, iterations=5, target=0.2)


def step_size(step_sizes: StepSizes, done: float, sigma: float, signal: float = 1.0) -> float:
    """Of the host's latents, `signal` times the picture and `sigma` times noise, at the fraction `done` of
    the guided steps."""
    start, end = step_sizes
    return (start + (end - start) * done) * (signal**2 + sigma**2)


def cross_masses(map_: Tensor, masks: Tensor, layout: Layout, image: int) -> Tensor:
    """(H, N, T) and (S, N) -> (S, 2): F and B of each subject."""
    empty, summed = background(masks), map_.sum(0)
    ends = [end for end in layout.ends if end < map_.shape[-1]]
    words = [[*subject.token_positions, *ends] for subject in layout.subjects(image)]
    seen = [summed[:, columns].sum(-1) for columns in words]
    return torch.stack(
        [torch.stack([own @ mask, own @ empty]) for own, mask in zip(seen, masks, strict=True)]
    )


def self_masses(map_: Tensor, masks: Tensor) -> Tensor:
    """(H, N, N) and (S, N) -> (S, 2): F and B of each subject."""
    seen = map_.sum(0) @ masks.T  # (N, S): what each cell gives to each subject
    return torch.stack([(seen * masks.T).sum(0), background(masks) @ seen], dim=-1)


def subject_losses(masses: Tensor) -> Tensor:
    """(S, 2) -> (S,): squares of 1 - F / (F + S B); 0 for a subject that is not in this part of the
    picture."""
    front, back = masses.unbind(-1)
    whole = front + len(masses) * back
    losses = (1 - front / whole.clamp_min(torch.finfo(whole.dtype).tiny)).square()
    return losses * (whole > 0)


@dataclass(frozen=True, kw_only=True)
class Spill(Objective):
    """The loss of both attentions, a mean over an image's subjects; the paper's is the sum."""

    layout: Layout
    cross_weight: float = 1.5
    self_weight: float = 0.5
    kept: dict[Any, Tensor] = field(default_factory=dict, compare=False, repr=False)  # masks

    def measure(self, site: Site, qkv: QKV) -> Tensor:
        """(rows, subjects, 2), F and B; images with fewer subjects than others end with zeros, and subjects
        that are not in this part of the picture have zeros."""
        most = max(len(subjects) for subjects in self.layout.images)
        measured = []
        for text, rows, window in site.rows.by_text:
            map_ = summed_map(rows_of(qkv, rows))[:, None]
            if site.kind == "cross":
                map_ = by_token(map_, text.tokens)
            for image, own in enumerate(map_):
                found = self._masses(site, own, image, window or WHOLE_PICTURE)
                measured.append(torch.nn.functional.pad(found, (0, 0, 0, most - len(found))))
        return torch.stack(measured)

    def _masses(self, site: Site, map_: Tensor, image: int, window: Window) -> Tensor:
        """Of one image's map (H, N, T or N): (S, 2)."""
        masks = self._masks_on(site.grid, image, window, map_)
        if not len(masks):
            return map_.new_zeros(0, 2)
        if site.kind == "self":
            return self_masses(map_, masks)
        found = cross_masses(map_, masks, self.layout, image)
        return found * masks.any(1, keepdim=True)

    def _masks_on(self, grid: tuple[int, int], image: int, window: Window, like: Tensor) -> Tensor:
        """The layout's masks of an image, on the device of `like` and of its type, made once."""
        key = (grid, image, window, like.dtype, like.device)
        if key not in self.kept:
            with torch.inference_mode(False):  # the gradient's pass keeps them
                self.kept[key] = self.layout.masks(grid, image, window).to(like, copy=True)
        return self.kept[key]

    def loss(self, measured: Mapping[LayerAttention, Tensor], images: int) -> Tensor:
        rows = len(next(iter(measured.values())))
        total = next(iter(measured.values())).new_zeros(rows)
        for kind, weight in (("cross", self.cross_weight), ("self", self.self_weight)):
            found = [masses for (_, of), masses in measured.items() if of == kind]
            if found and weight:
                total = total + weight * self._losses(torch.stack(found).mean(0), images)
        return total

    def _losses(self, masses: Tensor, images: int) -> Tensor:
        counts = [len(self.layout.subjects(row % images)) for row in range(len(masses))]
        return torch.stack(
            [
                subject_losses(own[:count]).mean() if count else own.new_zeros(())
                for own, count in zip(masses, counts, strict=True)
            ]
        )


@dataclass(frozen=True, kw_only=True)
class BoundedGuidance:
    """How the latents are shifted: `step_sizes` and `layers` (ordinals) are by default the authors' for the
    kind of model."""

    effort: Effort = EFFORT
    step_sizes: StepSizes | None = None
    cross_weight: float = 1.5
    self_weight: float = 0.5
    layers: frozenset[int] | None = None

    def watched(self, batch: Batch) -> frozenset[int]:
        """Ordinals of the layers that the loss looks at, or would look at."""
        if self.layers is not None:
            return self.layers
        if self.effort.none and GUIDANCE_PRESET not in batch.presets:
            return frozenset()
        return batch.preset(GUIDANCE_PRESET).layers

    def begin(
        self,
        batch: Batch,
        outlines: Outlines,
        bounded: tuple[frozenset[int], frozenset[int]],
        progress: Progress,
    ) -> "Guide | None":
        """What guides one run, or None if there is nothing to do; `bounded` are the layers with masks on
        words, and those with masks on pixels."""
        if self.effort.none or not (self.cross_weight or self.self_weight):
            return None
        step_sizes = batch.preset(GUIDANCE_PRESET).step_sizes if self.step_sizes is None else self.step_sizes
        if not any(step_sizes):
            return None
        layers = self.watched(batch)
        spill = Spill(
            cross_layers=layers if self.cross_weight else frozenset(),
            self_layers=layers if self.self_weight else frozenset(),
            prompt=outlines.layout.prompt,
            layout=outlines.layout,
            cross_weight=self.cross_weight,
            self_weight=self.self_weight,
        )
        subjects = [len(outlines.layout.subjects(image)) for image in range(batch.images)]
        words, pixels = bounded
        bounds = GuidingBounds(
            layers=words, self_layers=pixels, outlines=outlines, guiding=True, progress=progress
        )
        return Guide(self.effort, step_sizes, spill, bounds, progress, torch.tensor(subjects))


@dataclass(kw_only=True)
class GuidingBounds(Bounds):
    """The masks of a gradient's pass; the first one tells where the words would be seen without them."""

    progress: Progress

    def wants(self, site: Site) -> bool | StepAside:
        return super().wants(site) or self.progress.unseen(site)

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        if self.progress.unseen(site):
            self.progress.watch(site, qkv)
        return super().__call__(site, qkv, attend) if self.bounds(site) else attend(qkv)


@dataclass(frozen=True)
class Guide:
    """Bounded Attention's guidance at work in one run."""

    effort: Effort
    step_sizes: StepSizes
    spill: Spill
    bounds: Bounds
    progress: Progress
    subjects: Tensor  # (images,): the loss is a mean over them, and the paper steps down their sum

    def shift(self, latents: Tensor, model: Denoiser) -> bool:
        """Shift the sampler's latents in place, in the guided part of the schedule; whether it did."""
        done = self.effort.done(model)
        if done is None:
            return False
        done = max(done - FIRST_STEP_AT / self.effort.until, 0.0)
        rates = step_size(self.step_sizes, done, model.sigma, model.signal) * self.subjects
        shifts = descend(latents, model, self.bounds, self.spill, rates, self.effort, at_least_once=True)
        losses = list(shifts)
        self.progress.step(model.sigma, losses)
        return bool(losses)
