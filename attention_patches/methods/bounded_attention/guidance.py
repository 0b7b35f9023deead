"""The guidance of Bounded Attention: latents whose bounded attention fills the subjects' places.

Dahary et al., "Be Yourself", ECCV 2024, section 4.2; `spill.py` has the loss.

Step sizes are the authors', for latents of unit variance z = x / sqrt(1 + sigma^2). The host's x are larger:
dL/dz = sqrt(1 + sigma^2) dL/dx, and a step of eta dL/dz in z is one of eta (1 + sigma^2) dL/dx in x. Latents
of flow models are (1 - sigma) times the picture: there (1 - sigma)^2 takes the place of 1.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...contract.attention_part import Attend, StepAside
from ...contract.batch import Batch
from ...contract.call.qkv import QKV
from ...contract.call.site import Site
from ...contract.denoiser import Denoiser
from ...layout.descent import Effort, descend
from ...layout.shifting import Progress
from .bounds import Bounds, Outlines
from .spill import Spill

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
