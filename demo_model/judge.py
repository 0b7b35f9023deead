"""The judge: a small detector that says what a picture shows, trained on rendered scenes.

judge = Judge.load()
for verdict in judge(images):          # (B, H, W, 3), 0..1
    print(verdict.style, verdict.background, [(s.noun, s.colour, s.box) for s in verdict.subjects])
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from .world.vocabulary import EVERY_BACKGROUND, EVERY_COLOUR, STYLES, SUBJECTS

WEIGHTS = Path(__file__).resolve().parent / "weights" / "judge.safetensors"
CELL = 8  # pixels per cell of the detector's grid
LEAST_SCORE = 0.35
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Found:
    """One subject: box is (left, top, right, bottom) in pixels, score the detector's confidence 0..1."""

    noun: str
    colour: str
    style: str
    box: Box
    score: float


@dataclass(frozen=True)
class Verdict:
    """What one picture shows; the style is that of its subjects together, best first by score."""

    subjects: tuple[Found, ...]
    style: str
    style_probabilities: dict[str, float]
    background: str


def heads(colours: int) -> dict[str, int]:
    """The maps of the detector, and how many channels each has."""
    return {"centre": 1, "sides": 4, "noun": len(SUBJECTS), "colour": colours, "style": len(STYLES)}


class Block(nn.Module):
    """Residual block of two 3x3 convolutions; `reach` is their dilation."""

    def __init__(self, channels: int, reach: int = 1) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(8, channels), nn.GroupNorm(8, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=reach, dilation=reach)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.silu(self.norm2(self.conv1(F.silu(self.norm1(x))))))


class Detector(nn.Module):
    """(B, 3, H, W) in 0..1 -> a map (B, c, H/8, W/8) per head, and logits (B, backgrounds).

    It tells the first so many colours and backgrounds of the world: later ones came when earlier detectors
    were trained.
    """

    def __init__(self, colours: int = len(EVERY_COLOUR), backgrounds: int = len(EVERY_BACKGROUND)) -> None:
        super().__init__()
        self.channels = heads(colours)
        self.stem = nn.Sequential(nn.PixelUnshuffle(4), nn.Conv2d(48, 64, 3, padding=1), Block(64), Block(64))
        self.body = nn.Sequential(
            nn.Conv2d(64, 128, 3, stride=2, padding=1), Block(128), Block(128, 2), Block(128, 2), Block(128)
        )
        self.norm = nn.GroupNorm(8, 128)
        self.heads = nn.Conv2d(128, sum(self.channels.values()), 1)
        self.background = nn.Linear(128, backgrounds)

    def forward(self, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        x = F.silu(self.norm(self.body(self.stem(images * 2 - 1))))
        maps = dict(zip(self.channels, self.heads(x).split(list(self.channels.values()), 1), strict=True))
        return maps, self.background(x.mean((2, 3)))


class Judge:
    """A trained detector and the reading of its maps."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector.eval()

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> "Judge":
        weights = {name: t.float() for name, t in load_file(path).items()}
        colours = len(weights["heads.bias"]) - sum(heads(0).values())
        detector = Detector(colours, len(weights["background.bias"]))
        detector.load_state_dict(weights, strict=True)
        return cls(detector)

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> list[Verdict]:
        """Verdicts for images (B, H, W, 3) in 0..1; sides must be multiples of 8."""
        verdicts = []
        for part in images.float().split(32):
            maps, backgrounds = self.detector(part.movedim(-1, 1))
            scores = _peaks(maps["centre"][:, 0].sigmoid())
            for index in range(len(part)):
                one = {name: map_[index] for name, map_ in maps.items()}
                verdicts.append(_read(one, scores[index], backgrounds[index]))
        return verdicts


def _peaks(scores: Tensor) -> Tensor:
    """(B, h, w) with everything but local maxima of a 3x3 neighbourhood at zero."""
    highest = F.max_pool2d(scores[:, None], 3, 1, 1)[:, 0]
    return scores * (scores == highest)


def _read(maps: dict[str, Tensor], scores: Tensor, background: Tensor) -> Verdict:
    subjects, style = [], torch.zeros(len(STYLES))
    cells = sorted((scores > LEAST_SCORE).nonzero().tolist(), key=lambda c: -scores[c[0], c[1]].item())
    if not cells:  # the style is asked of every picture, so look where a subject is likeliest
        likeliest = divmod(int(maps["centre"][0].argmax()), scores.shape[1])
        style = maps["style"][:, likeliest[0], likeliest[1]].softmax(0)
    kept: list[Box] = []
    for row, column in cells:
        left, top, right, bottom = (maps["sides"][:, row, column].exp() * CELL).tolist()
        x, y = (column + 0.5) * CELL, (row + 0.5) * CELL
        box = (x - left, y - top, x + right, y + bottom)
        if any(overlap(box, other) > 0.6 for other in kept):
            continue
        kept.append(box)
        chances = maps["style"][:, row, column].softmax(0)
        style = style + chances
        subjects.append(
            Found(
                list(SUBJECTS)[int(maps["noun"][:, row, column].argmax())],
                list(EVERY_COLOUR)[int(maps["colour"][:, row, column].argmax())],
                STYLES[int(chances.argmax())],
                box,
                scores[row, column].item(),
            )
        )
    chances = style / style.sum()
    return Verdict(
        tuple(subjects),
        STYLES[int(chances.argmax())],
        dict(zip(STYLES, chances.tolist(), strict=True)),
        list(EVERY_BACKGROUND)[int(background.argmax())],
    )


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    width = max(min(a[2], b[2]) - max(a[0], b[0]), 0)
    height = max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union if union > 0 else 0.0
