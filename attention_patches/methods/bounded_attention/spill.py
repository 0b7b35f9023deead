"""The loss of Bounded Attention's guidance: how much of the subjects' attention spills over their places.

Dahary et al., "Be Yourself", ECCV 2024, section 4.2. F is the attention of a subject's cells, B that of the
background, in cross-attention to the subject's words and the end token, in self-attention to the subject's
cells. The loss of a subject is the weighted square of 1 - F / (F + S B) of both, S the number of subjects.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ...attention.attention_map import by_token, rows_of, summed_map
from ...contract.call.qkv import QKV
from ...contract.call.site import WHOLE_PICTURE, Site, Window
from ...contract.objective import LayerAttention, Objective
from ...layout.cells import background
from ...layout.regions import Layout


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
