"""The background of the original, blended into the variations once.

Patashnik et al., ICCV 2023, "Controllable background preservation". After the step at `at`

    m     = dilate_3x3(nearest(object of the original or of the variation))
    x_var <- m x_var + (1 - m) x_original

Differences from the authors' code: a mask for each variation, theirs is that of the last one for all, which
is right for one alone; and where the object is not found, in the original or in the variation, nothing is
blended there and the report says so (theirs puts the whole original in its place). The picture that is
expected at that step is blended as well, as samplers of higher order go on from it. Where a sampler goes on
from what it expected before that, too, a step or two more are blended. With Euler's method this is the same
as blending behind the step.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import interpolate, max_pool2d

from ...contract.denoiser import Denoiser
from ...contract.schedule import ROUNDING, before
from .blending_calls import BlendingCalls
from .finding import Finding, object_masks


@dataclass(kw_only=True)
class Background:
    """Blends once, in the step at `at` and behind it."""

    finding: Finding
    at: float
    latent: tuple[int, int]
    calls: BlendingCalls
    tell: Callable[[str], None] = lambda line: None
    draw: Callable[[Callable[[], Tensor]], None] = lambda make: None
    masks: Tensor | None = None  # (images, 1, h, w): where images may differ from the original
    seen: tuple[bool, ...] = ()  # in which images the object was found
    sigma: float = math.inf  # at which the masks were found
    came_behind: bool = False  # whether the sampler called at less noise
    labels: list[str] = field(default_factory=list)

    def shift(self, latents: Tensor, model: Denoiser) -> bool:
        """Blend what that step has made, whichever call of the sampler's next step begins there."""
        self.calls.follow(model.sigma)
        if self.masks is None or model.sigma >= self.sigma * (1 - ROUNDING):
            return False
        self.came_behind = True
        masks = self.masks[1:].to(latents.device)

        def apart() -> float:
            return float(((latents[1:] - latents[:1]) * ~masks).float().square().mean().sqrt())

        if not self.calls.chosen(model.sigma, apart):
            return False
        latents[1:] = torch.where(masks, latents[1:], latents[:1])
        return True

    def denoise(self, latents: Tensor, model: Denoiser) -> Tensor:
        expected = model.rest(latents)
        if self.finding.done or before(model.percent, self.at):
            return expected
        self.finding.done = True
        self.masks, self.sigma = self._masks(), model.sigma
        if self.masks is None:
            return expected
        self.tell(self.describe())
        self.draw(self.masks[:, 0].float)
        return torch.where(self.masks.to(expected.device), expected, expected[:1])

    def _masks(self) -> Tensor | None:
        found = self.finding.found()
        if found is None:
            return None
        objects, self.seen = object_masks(found, self.finding.spec)
        words = [word.text for word in self.finding.spec.words]
        labels = dict.fromkeys(label for label in found[0].labels if label is not None)
        self.labels = [words[label] for label in labels]
        if not self.seen[0]:
            return None
        either = (objects | objects[:1])[:, None].float()
        large = max_pool2d(interpolate(either, size=self.latent, mode="nearest"), 3, stride=1, padding=1)
        unseen = torch.tensor([not seen for seen in self.seen])[:, None, None, None]
        return (large > 0) | unseen

    def describe(self) -> str:
        """What was blended, or why not."""
        if not self.finding.done:
            return "No background was blended: blend_at lies behind the run."
        word = self.finding.spec.words[0].text
        if not self.seen:
            return "No background was blended: no attention was seen of the whole picture."
        found = ", ".join(self.labels) or "no word"
        if self.masks is None:
            return (
                f"No background was blended: no segment of the original is {word} (labelled: {found}). "
                "Try more `segments`, or a lower `label_threshold`."
            )
        if self.came_behind and not self.calls.steps:
            return "No background was blended: the sampler begins no step behind blend_at."
        shares = self.masks[1:].float().mean((1, 2, 3)).tolist()
        parts = [
            f"{share:.0%} of image {image}" for image, share in enumerate(shares, start=1) if self.seen[image]
        ]
        lost = [str(image) for image in range(1, len(shares) + 1) if not self.seen[image]]
        often = "once" if self.calls.steps <= 1 else f"behind {self.calls.steps} steps"
        line = f"Background blended {often} (labelled: {found}); {', '.join(parts) or 'nothing'} may differ."
        return line + (f" Not in images {', '.join(lost)}: no segment there is {word}." if lost else "")
