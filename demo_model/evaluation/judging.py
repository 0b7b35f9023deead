"""How far the judge itself can be trusted: held-out renders, plain and passed through the autoencoder."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..judge import Judge, overlap
from ..world import Picture, Sprites, render, sample_scene
from .score import Rate


def held_out(sprites: Sprites, number: int, seed: int = 555_000) -> list[Picture]:
    """Scenes of one to four subjects that no training step has drawn."""
    rngs = (np.random.default_rng([seed, index]) for index in range(number))
    return [render(sample_scene(rng, 128, 128, 1 + index % 4), sprites) for index, rng in enumerate(rngs)]


def judge_accuracy(
    judge: Judge, pictures: list[Picture], through: Callable[[Tensor], Tensor]
) -> dict[str, Rate]:
    """Per picture: style, background, count; per subject that a box was found for: noun and colour."""
    hits: dict[str, list[bool]] = {
        k: [] for k in ("subject", "colour", "style", "background", "count", "found")
    }
    for first in range(0, len(pictures), 16):
        part = pictures[first : first + 16]
        images = through(torch.from_numpy(np.stack([p.image for p in part])).float() / 255)
        for picture, verdict in zip(part, judge(images), strict=True):
            hits["style"].append(verdict.style == picture.scene.style)
            hits["background"].append(verdict.background == picture.scene.background)
            hits["count"].append(len(verdict.subjects) == len(picture.scene.subjects))
            for subject, box in zip(picture.scene.subjects, picture.boxes(), strict=True):
                if box is None:
                    continue
                best = max(verdict.subjects, key=lambda s: overlap(s.box, box), default=None)
                found = best is not None and overlap(best.box, box) > 0.5
                hits["found"].append(found)
                if best is not None and found:
                    hits["subject"].append(best.noun == subject.noun)
                    hits["colour"].append(best.colour == subject.colour)
    return {name: (sum(values), len(values)) for name, values in hits.items()}
