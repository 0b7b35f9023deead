"""Put batches of pictures into rows on one sheet, all pictures of one height."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from contact_sheet import GAP, INK, PAPER, Batch

LETTERS = 14  # pixels of a title
LINE = 20  # pixels that a title takes


def picture_rows(rows: Sequence[Sequence[Batch]], side: int) -> Image.Image:
    """One picture: each row has its batches side by side, each under its title if it has one."""
    drawn = [_beside([_strip(batch, side) for batch in row]) for row in rows]
    size = (max(row.width for row in drawn), _length([row.height for row in drawn]))
    sheet = Image.new("RGB", size, PAPER)
    y = 0
    for row in drawn:
        sheet.paste(row, (0, y))
        y += row.height + GAP
    return sheet


def _strip(batch: Batch, side: int) -> Image.Image:
    """The pictures of a batch in one line, under its title."""
    line = _beside([_as_high(picture, side) for picture in batch.pictures])
    if not batch.title:
        return line
    font = ImageFont.load_default(size=LETTERS)
    width = max(line.width, int(font.getlength(batch.title)) + 1)
    strip = Image.new("RGB", (width, LINE + line.height), PAPER)
    ImageDraw.Draw(strip).text((0, 0), batch.title, fill=INK, font=font)
    strip.paste(line, (0, LINE))
    return strip


def _as_high(picture: Image.Image, side: int) -> Image.Image:
    width = round(picture.width * side / picture.height)
    return picture.convert("RGB").resize((width, side), Image.Resampling.LANCZOS)


def _beside(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures from left to right, their lower edges on one line."""
    height = max(picture.height for picture in pictures)
    line = Image.new("RGB", (_length([picture.width for picture in pictures]), height), PAPER)
    x = 0
    for picture in pictures:
        line.paste(picture, (x, height - picture.height))
        x += picture.width + GAP
    return line


def _length(lengths: Sequence[int]) -> int:
    return sum(lengths) + GAP * (len(lengths) - 1)
