"""Put batches of pictures side by side on one sheet, each under its title."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

MARGIN = 16
GAP = 4
SMALLEST = 192
THUMBNAIL = 640
PAPER, INK = "white", "#222222"


@dataclass(frozen=True)
class Batch:
    """Pictures that belong together, and what they are."""

    title: str
    pictures: Sequence[Image.Image]


def contact_sheet(batches: Sequence[Batch]) -> Image.Image:
    """One picture with a square-ish grid for each batch, from left to right.

    Small pictures are enlarged to about the size of the largest.
    """
    smallest = max(min(picture.size) for batch in batches for picture in batch.pictures)
    grids = [_grid(batch.pictures, max(smallest, SMALLEST)) for batch in batches]
    font = ImageFont.load_default(size=20)
    width = sum(grid.width for grid in grids) + MARGIN * (len(grids) + 1)
    sheet = Image.new("RGB", (width, max(grid.height for grid in grids) + 3 * MARGIN + 8), PAPER)
    draw, x = ImageDraw.Draw(sheet), MARGIN
    for batch, grid in zip(batches, grids, strict=True):
        draw.text((x, MARGIN - 6), batch.title, fill=INK, font=font)
        sheet.paste(grid, (x, 2 * MARGIN + 8))
        x += grid.width + MARGIN
    return sheet


def thumbnail(sheet: Image.Image) -> Image.Image:
    """The sheet, small enough for a list of workflows."""
    small = sheet.copy()
    small.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    return small


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
