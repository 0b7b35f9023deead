"""What an appearance transfer kept and what it moved."""

from dataclasses import dataclass, field

import numpy as np
import torch
from attention_control.demo_model.judge import Verdict
from torch import Tensor

from measure.appearance.pairs import Pair
from measure.reading.subject_reader import SubjectReader, iou

FEWEST = 20  # pixels of a subject whose colours are compared
DIRECTIONS = torch.nn.functional.normalize(
    torch.randn(16, 3, generator=torch.Generator().manual_seed(0)), dim=1
)
SHARES = torch.linspace(0.01, 0.99, 50)


@dataclass
class Scores:
    """Gathers, for one way of doing it, a value per pair and measure."""

    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, reader: SubjectReader, pairs: list[Pair], images: Tensor) -> None:
        found, verdicts = reader(images), reader.judge(images)
        for pair, image, mask, verdict in zip(pairs, images, found, verdicts, strict=True):
            for name, value in measure(pair, image, mask, verdict).items():
                self.values.setdefault(name, []).append(value)

    def means(self) -> dict[str, float]:
        return {name: float(np.mean(values)) for name, values in self.values.items()}


def measure(pair: Pair, image: Tensor, mask: Tensor, verdict: Verdict) -> dict[str, float]:
    """Of one picture (H, W, 3), whose subject is found at `mask`.

    IoU with the structure's true mask; the part of the way that the subject's colours went from the
    structure's to the appearance's (1 all of it); the judge's probability for the appearance's style, whether
    it calls the colour the appearance's, and whether it still calls the subject the structure's.
    """
    surest = max(verdict.subjects, key=lambda s: s.score, default=None)
    one, other = pair.structure, pair.appearance
    inside = mask if int(mask.sum()) >= FEWEST else torch.ones_like(mask)
    start, goal = (colours(shown.image, shown.mask) for shown in (one, other))
    left = (colours(image, inside) - goal).abs().mean() / (start - goal).abs().mean()
    return {
        "structure IoU": iou(mask, one.mask),
        "colours moved": 1 - float(left),
        "style": verdict.style_probabilities[other.scene.style],
        "colour word": float(surest is not None and surest.colour == other.subject.colour),
        "subject": float(surest is not None and surest.noun == one.subject.noun),
    }


def colours(image: Tensor, mask: Tensor) -> Tensor:
    """Quantiles (50, 16) of the colours inside the mask along fixed directions of RGB.

    The mean difference of two of them is the sliced earth mover's distance of the two colour histograms.
    """
    return torch.quantile(image[mask].float() @ DIRECTIONS.T, SHARES, dim=0)
