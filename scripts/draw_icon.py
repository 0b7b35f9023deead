"""Draw `docs/icon.png` and `docs/banner.png`, which the registry shows: `python scripts/draw_icon.py`.

Both show what the pack is about: words, the places of a picture, and how much each looks at the other. Needs
NumPy and Pillow, as ComfyUI does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pins import ROOT

ICON = 400  # the registry's limit, square
BANNER = (1344, 576)  # 21:9
SHARPER = 2  # drawn so many times larger, then made smaller: smooth edges
DARK, LIGHT, DIM = "#15161a", "#f2f2f4", "#a6a8b0"
HEAT = ((0, 0, 4), (69, 16, 119), (159, 47, 127), (241, 96, 93), (253, 149, 103), (252, 253, 191))
WORDS = (("dog", "#6dcd9a", (0.75, 0.375)), ("cat", "#fd9567", (0.25, 0.625)))
CELLS = 8


@dataclass(frozen=True)
class Square:
    """Where the picture of cells lies, in the pixels of a drawing."""

    left: float
    top: float
    side: float

    def at(self, point: tuple[float, float]) -> tuple[float, float]:
        """A point of the picture, given in fractions."""
        return self.left + point[0] * self.side, self.top + point[1] * self.side


def main() -> None:
    """Draw both and save them."""
    folder = ROOT / "docs"
    folder.mkdir(exist_ok=True)
    for name, drawing in (("icon", icon()), ("banner", banner())):
        small = (drawing.width // SHARPER, drawing.height // SHARPER)
        drawing.resize(small, Image.Resampling.LANCZOS).save(folder / f"{name}.png", optimize=True)


def icon() -> Image.Image:
    """Cells with the heat of two subjects, a word's colour round each."""
    side = ICON * SHARPER
    drawing = Image.new("RGB", (side, side), DARK)
    picture = Square(side * 0.09, side * 0.09, side * 0.82)
    cells(drawing, picture)
    rings(drawing, picture)
    return drawing


def banner() -> Image.Image:
    """The name, and two words whose attention goes to two places of a picture."""
    width, height = (side * SHARPER for side in BANNER)
    drawing = Image.new("RGB", (width, height), DARK)
    picture = Square(width - height * 0.94, height * 0.1, height * 0.8)
    cells(drawing, picture)
    rings(drawing, picture)
    pen = ImageDraw.Draw(drawing)
    left = height * 0.14
    for text, size, down, colour in (
        ("Attention Control", 0.125, 0.2, LIGHT),
        ("one style for a batch · every subject in its place", 0.042, 0.4, DIM),
        ("a view of where each word goes", 0.042, 0.47, DIM),
    ):
        font = ImageFont.load_default(size * height)
        pen.text((left, down * height), text, fill=colour, font=font)
    font = ImageFont.load_default(0.06 * height)
    for number, (word, colour, place) in enumerate(WORDS):
        box = (left, (0.62 + 0.14 * number) * height, left + 0.25 * height, (0.72 + 0.14 * number) * height)
        pen.rounded_rectangle(box, 0.05 * height, outline=colour, width=round(0.006 * height))
        middle = (box[1] + box[3]) / 2
        pen.text(((box[0] + box[2]) / 2, middle), word, fill=colour, font=font, anchor="mm")
        x, y = picture.at(place)
        thread(pen, (box[2], middle), (x - picture.side * 0.15, y), colour, round(0.008 * height))
    return drawing


def cells(drawing: Image.Image, picture: Square) -> None:
    """The cells of the picture, each as hot as it is near a subject."""
    pen = ImageDraw.Draw(drawing)
    step = picture.side / CELLS
    for row in range(CELLS):
        for column in range(CELLS):
            x, y = (column + 0.5) / CELLS, (row + 0.5) / CELLS
            heat = max(np.exp(-((x - u) ** 2 + (y - v) ** 2) / 0.02) for _, _, (u, v) in WORDS)
            left, top = picture.left + column * step, picture.top + row * step
            box = (left + step * 0.05, top + step * 0.05, left + step * 0.95, top + step * 0.95)
            pen.rounded_rectangle(box, step * 0.14, fill=colour_of(0.1 + 0.9 * float(heat)))


def rings(drawing: Image.Image, picture: Square) -> None:
    """A ring of its word's colour round each subject."""
    pen = ImageDraw.Draw(drawing)
    radius = picture.side * 0.15
    for _, colour, place in WORDS:
        x, y = picture.at(place)
        box = (x - radius, y - radius, x + radius, y + radius)
        pen.ellipse(box, outline=colour, width=round(picture.side * 0.022))


def thread(
    pen: ImageDraw.ImageDraw, start: tuple[float, float], end: tuple[float, float], colour: str, width: int
) -> None:
    """A line that leaves its start and reaches its end level."""
    t = np.linspace(0, 1, 200)
    x = start[0] + (end[0] - start[0]) * t
    y = start[1] + (end[1] - start[1]) * (3 * t**2 - 2 * t**3)
    pen.line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=colour, width=width, joint="curve")


def colour_of(heat: float) -> tuple[int, int, int]:
    """A colour between those of `HEAT`, for 0..1."""
    places = np.linspace(0, 1, len(HEAT))
    red, green, blue = (round(float(np.interp(heat, places, channel))) for channel in zip(*HEAT, strict=True))
    return red, green, blue


if __name__ == "__main__":
    main()
