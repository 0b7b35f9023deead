"""Put batches of pictures side by side on one sheet, each under its title."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

MARGIN = 16
GAP = 4
SMALLEST = 192
LONGEST_LINE = 4
THUMBNAIL = 400  # pixels of a side
PAPER, INK = "white", "#222222"


@dataclass(frozen=True)
class Batch:
    """Pictures that belong together, and what they are."""

    title: str
    pictures: Sequence[Image.Image]


def contact_sheet(batches: Sequence[Batch]) -> Image.Image:
    """One picture with a square-ish grid for each batch, from left to right, in lines of at most four.

    Small pictures are enlarged to about the size of the largest.
    """
    smallest = max(min(picture.size) for batch in batches for picture in batch.pictures)
    lines = math.ceil(len(batches) / LONGEST_LINE)
    each = math.ceil(len(batches) / lines)
    drawn = [
        _line(batches[first : first + each], max(smallest, SMALLEST))
        for first in range(0, len(batches), each)
    ]
    sheet = Image.new("RGB", (max(line.width for line in drawn), sum(line.height for line in drawn)), PAPER)
    y = 0
    for line in drawn:
        sheet.paste(line, (0, y))
        y += line.height
    return sheet


def thumbnail(batches: Sequence[Batch]) -> Image.Image:
    """The result as a square, as lists of workflows show it: the last batch alone, without a title."""
    grid = _grid(batches[-1].pictures, SMALLEST)
    side = max(grid.size)
    square = Image.new("RGB", (side, side), PAPER)
    square.paste(grid, ((side - grid.width) // 2, (side - grid.height) // 2))
    return square.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)


def _line(batches: Sequence[Batch], smallest: int) -> Image.Image:
    """Batches side by side, each under its title."""
    grids = [_grid(batch.pictures, smallest) for batch in batches]
    font = ImageFont.load_default(size=20)
    width = sum(grid.width for grid in grids) + MARGIN * (len(grids) + 1)
    sheet = Image.new("RGB", (width, max(grid.height for grid in grids) + 3 * MARGIN + 8), PAPER)
    draw, x = ImageDraw.Draw(sheet), MARGIN
    for batch, grid in zip(batches, grids, strict=True):
        draw.text((x, MARGIN - 6), batch.title, fill=INK, font=font)
        sheet.paste(grid, (x, 2 * MARGIN + 8))
        x += grid.width + MARGIN
    return sheet


def _grid(pictures: Sequence[Image.Image], smallest: int) -> Image.Image:
    """Pictures in rows; every cell has the size of the largest."""
    scale = max(1, math.ceil(smallest / min(min(picture.size) for picture in pictures)))
    width = scale * max(picture.width for picture in pictures)
    height = scale * max(picture.height for picture in pictures)
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    grid = Image.new("RGB", (columns * (width + GAP) - GAP, rows * (height + GAP) - GAP), PAPER)
    for i, picture in enumerate(pictures):
        large = picture.convert("RGB").resize(
            (picture.width * scale, picture.height * scale), Image.Resampling.LANCZOS
        )
        grid.paste(large, (i % columns * (width + GAP), i // columns * (height + GAP)))
    return grid
