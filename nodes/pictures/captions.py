"""A line of text on a picture, and a mark at a point of it; legible on bright and dark ones."""

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from .fonts import Font, legible


def to_pillow(picture: Tensor) -> Image.Image:
    """(h, w, 3) in 0..1 -> an 8-bit image."""
    return Image.fromarray((picture.clamp(0, 1) * 255).round().byte().cpu().numpy())


def from_pillow(image: Image.Image) -> Tensor:
    """An 8-bit image -> (h, w, 3) in 0..1."""
    return torch.from_numpy(np.array(image.convert("RGB"))).float() / 255


def captioned(picture: Tensor, text: str) -> Tensor:
    """The text, white on a dark label, in the lower left corner; shortened to fit."""
    base = to_pillow(picture).convert("RGBA")
    size = max(11, 6 + min(base.size) // 36)
    text, font = legible(text, size)
    pad, margin = size * 0.45, max(2, size // 3)
    text = shortened(text, font, base.width - 2 * (pad + margin))
    width, height = font.getlength(text) + 2 * pad, size * 1.25 + pad
    left, bottom = margin, base.height - margin
    label = Image.new("RGBA", base.size)
    draw = ImageDraw.Draw(label)
    box = (left, bottom - height, left + width, bottom)
    draw.rounded_rectangle(box, radius=height * 0.32, fill=(12, 12, 16, 190))
    draw.text((left + pad, bottom - height / 2), text, font=font, fill=(255, 255, 255, 255), anchor="lm")
    return from_pillow(Image.alpha_composite(base, label))


def marked(picture: Tensor, point: tuple[float, float]) -> Tensor:
    """A ring at a point (x, y) given as fractions of the picture."""
    base = to_pillow(picture)
    draw, radius = ImageDraw.Draw(base), max(3.0, min(base.size) / 56)
    x, y = point[0] * base.width, point[1] * base.height
    line = max(1, round(radius / 3.5))
    for grow, colour in ((line, (0, 0, 0)), (0, (255, 255, 255))):
        r = radius + grow
        draw.ellipse((x - r, y - r, x + r, y + r), outline=colour, width=line)
    return from_pillow(base)


def shortened(text: str, font: Font, room: float) -> str:
    """The beginning of the text, as much as has room (pixels) in this font."""
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(text + "…") > room:
        text = text[:-1]
    return text.rstrip() + "…"
