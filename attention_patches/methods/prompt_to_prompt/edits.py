"""What an image takes of the source's cross-attention, and the tables by which a map is edited."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...contract.schedule import before
from .alignment import Taken


@dataclass(frozen=True)
class Edit:
    """One image's, by token of its own prompt: what it takes, until which percent of the schedule, and the
    factor on its map until then."""

    taken: tuple[Taken, ...]
    until: tuple[float, ...]
    factors: tuple[float, ...]

    def acting(self, percent: float) -> tuple[bool, ...]:
        """The tokens whose maps are edited at this place of the schedule."""
        return tuple(
            before(percent, until) and (bool(taken.tokens) or factor != 1.0)
            for taken, until, factor in zip(self.taken, self.until, self.factors, strict=True)
        )

    @property
    def idle(self) -> bool:
        """Whether it never edits anything."""
        return not any(self.acting(0.0))

    @property
    def end(self) -> float:
        """The percent of the schedule behind which it edits nothing."""
        return max(
            (until for until, acts in zip(self.until, self.acting(0.0), strict=True) if acts), default=0
        )


@dataclass(frozen=True)
class Tables:
    """The edits of some images at one place of the schedule: new = source @ mixed + own * kept."""

    images: tuple[int, ...]
    mixed: Tensor  # (images, T, T), what is taken of the source's tokens, times the factors
    kept: Tensor  # (images, 1, 1, T), the factors of maps that stay an image's own; 0 where they are replaced

    @classmethod
    def of(cls, edits: Sequence[Edit], percent: float, tokens: int, device: torch.device) -> "Tables":
        """Of the images (from 1, as the source is 0) that have something to edit. The text has `tokens`, of
        which those behind the edits' own keep their maps."""
        acting = {
            image: marks for image, edit in enumerate(edits, start=1) if any(marks := edit.acting(percent))
        }
        mixed, kept = torch.zeros(len(acting), tokens, tokens), torch.ones(len(acting), 1, 1, tokens)
        for row, (image, marks) in enumerate(acting.items()):
            edit = edits[image - 1]
            for token in (token for token, mark in enumerate(marks) if mark):
                taken, factor = edit.taken[token], edit.factors[token]
                mixed[row, list(taken.tokens), token] = taken.share * factor
                kept[row, ..., token] = 0.0 if taken.tokens else factor
        return cls(tuple(acting), mixed.to(device), kept.to(device))

    def edited(self, source: Tensor, own: Tensor) -> Tensor:
        """The maps (C, images, H, n, T) in place of `own`, given the source's (C, 1, H, n, T)."""
        return source @ self.mixed[:, None] + own * self.kept

    @property
    def empty(self) -> bool:
        return not self.images
