"""Segments over a picture: a colour for each subject, and a label with its score."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional as F

from ...attention_patches.maps.self_segmentation.segmentation import Segmentation
from .captions import from_pillow, to_pillow
from .colour_maps import colour_bytes, subject_colour
from .fonts import legible
from .heat_map import LUMA

SMALLEST = 768  # pixels of the longer side: labels on less could not be read
TINT, DIM = 0.2, 0.6  # how much a subject is coloured, and what is left of the background's light
LINE = 1 / 280  # width of a border, of the longer side
GRID = 48  # places along the longer side where a label may stand
WITHIN = 0.3  # how strong the border between two segments of one subject is

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Tag:
    """A label: its text, the colour of its dot, and where it would like its middle to be."""

    text: str
    subject: int | None
    place: tuple[float, float]  # (x, y) in pixels


def draw_segments(picture: Tensor, clusters: Tensor, found: Segmentation, names: Sequence[str]) -> Tensor:
    """The picture (h, w, 3) under its segments (h, w), drawn larger if it is small: (H, W, 3).

    Each subject has a rim in a colour of its own, the background is dimmed, labels say `2-cat 0.65`: the
    second segment, a cat, and its score.
    """
    size = drawn_size(picture.shape[0], picture.shape[1])
    base = to_pillow(picture).resize(size[::-1], Image.Resampling.LANCZOS)
    shares = F.interpolate(found.segments(clusters).float()[None], size, mode="bilinear")[0]
    large = shares.argmax(0)
    tinted = _bordered(_tinted(from_pillow(base), shares, found), large, found)
    tags = [
        Tag(_text(number, found, names), subject, _inside(large == number))
        for number, subject in enumerate(found.labels)
        if (large == number).any()
    ]
    return _labelled(tinted, tags)


def drawn_size(height: int, width: int) -> tuple[int, int]:
    """(height, width) of the drawing."""
    scale = max(1.0, SMALLEST / max(height, width))
    return round(height * scale), round(width * scale)


def _tinted(picture: Tensor, shares: Tensor, found: Segmentation) -> Tensor:
    gray = (picture * picture.new_tensor(LUMA)).sum(-1, keepdim=True)
    out = torch.zeros_like(picture)
    for share, subject in zip(shares, found.labels, strict=True):
        if subject is None:
            look = torch.lerp(gray.expand_as(picture), picture, 0.25) * DIM
        else:
            look = torch.lerp(picture, (0.25 + 0.85 * gray) * subject_colour(subject), TINT)
        out += share[..., None] * look
    return out.clamp(0, 1)


def _bordered(picture: Tensor, clusters: Tensor, found: Segmentation) -> Tensor:
    """White lines round the subjects with a rim of the subject's colour inside, and fainter lines between
    segments of one label; with soft edges."""
    width = max(1, round(max(clusters.shape) * LINE))
    for subject in {label for label in found.labels if label is not None}:
        inside = found.masks(clusters)[subject].float()
        rim = inside * _grown(1 - inside, 2 * width)
        picture = torch.lerp(picture, subject_colour(subject).expand_as(picture), rim[..., None])
    labels = torch.tensor([-1 if label is None else label for label in found.labels])
    strength = torch.maximum(_edges(labels[clusters]), WITHIN * _edges(clusters))
    line = _grown(strength, width // 2)
    return torch.lerp(picture, torch.ones_like(picture), line[..., None])


def _grown(mask: Tensor, reach: int) -> Tensor:
    """(h, w) wider by so many pixels on all sides, its edge softened."""
    wide = F.max_pool2d(mask[None, None], 2 * reach + 1, 1, reach)
    return F.avg_pool2d(wide, 3, 1, 1, count_include_pad=False)[0, 0]


def _edges(numbers: Tensor) -> Tensor:
    """(h, w) -> 1 where a place differs from the one above it or on its left."""
    edge = torch.zeros(numbers.shape)
    edge[1:] = (numbers[1:] != numbers[:-1]).float()
    edge[:, 1:] = edge[:, 1:].maximum((numbers[:, 1:] != numbers[:, :-1]).float())
    return edge


def _labelled(picture: Tensor, tags: list[Tag]) -> Tensor:
    base = to_pillow(picture).convert("RGBA")
    layer = Image.new("RGBA", base.size)
    draw = ImageDraw.Draw(layer)
    taken: list[Box] = []
    height = max(base.size) / 24
    for tag in tags:
        text, font = legible(tag.text, height * 0.62)
        width = font.getlength(text) + height * 1.45
        box = _free(tag.place, width, height, base.size, taken)
        taken.append(box)
        middle, dot, radius = (box[1] + box[3]) / 2, box[0] + height * 0.55, height * 0.22
        light, solid = (170, 150) if tag.subject is None else (255, 220)
        draw.rounded_rectangle(box, radius=height / 2, fill=(14, 14, 20, solid))
        draw.ellipse(
            (dot - radius, middle - radius, dot + radius, middle + radius),
            fill=colour_bytes(subject_colour(tag.subject)),
        )
        ink = (light, light, light, 255)
        draw.text((box[0] + height, middle), text, font=font, fill=ink, anchor="lm")
    return from_pillow(Image.alpha_composite(base, layer))


def _free(
    place: tuple[float, float], width: float, height: float, size: tuple[int, int], taken: list[Box]
) -> Box:
    """A box inside the picture round the place, moved down or up if it would hide another."""
    left = min(max(place[0] - width / 2, 2), max(2, size[0] - width - 2))
    best: Box | None = None
    for step in (0, 1, -1, 2, -2, 3, -3, 4, -4):
        top = place[1] - height / 2 + step * height * 1.15
        top = min(max(top, 2), max(2, size[1] - height - 2))
        box = (left, top, left + width, top + height)
        best = best or box
        if not any(_overlap(box, other) for other in taken):
            return box
    assert best is not None
    return best


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _inside(mask: Tensor) -> tuple[float, float]:
    """(x, y) of a place that is far from the segment's border and from the picture's."""
    height, width = mask.shape
    step = max(1, max(mask.shape) // GRID)
    coarse = F.max_pool2d(mask[None].float(), step, ceil_mode=True)[0] > 0
    outside = (~F.pad(coarse, (1, 1, 1, 1))).nonzero().float() - 1
    inside = coarse.nonzero().float()
    row, column = inside[torch.cdist(inside, outside).min(1).values.argmax()].tolist()
    return min((column + 0.5) * step, width), min((row + 0.5) * step, height)


def _text(number: int, found: Segmentation, names: Sequence[str]) -> str:
    subject = found.labels[number]
    if subject is None:
        return f"{number + 1}-background"
    return f"{number + 1}-{names[subject]} {found.scores[number, subject]:.2f}"
