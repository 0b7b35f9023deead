"""The leakage between subjects as a figure: two matrices, and the queries of the subjects' pixels."""

from collections.abc import Sequence

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ...attention_patches.layout.leakage import Leakage
from .captions import from_pillow, shortened
from .colour_maps import colour_bytes, colour_table, subject_colour
from .fonts import legible

PANEL, MARGIN, TITLE, ROW = 420, 24, 44, 34  # pixels
LABELS = 34  # room for the numbers beside and above a matrix
PAPER, INK, FAINT = (20, 20, 27), (236, 236, 240), (150, 150, 160)
LEGEND_COLUMNS = 3
DOT = 9

Position = tuple[int, int]


def draw_leakage(found: Sequence[Leakage]) -> Tensor:
    """(images, H, W, 3): what was recorded of each image, drawn in one size for all."""
    panels = [
        name for name in ("words", "pixels", "queries") if any(getattr(x, name) is not None for x in found)
    ]
    width = max(1, len(panels)) * (PANEL + MARGIN) + MARGIN
    most = max((len(each.subjects) for each in found), default=0)
    height = TITLE + PANEL + MARGIN + ROW * -(-(most + 1) // LEGEND_COLUMNS) + MARGIN
    return torch.stack([_figure(each, panels, (width, height)) for each in found])


def _figure(each: Leakage, panels: Sequence[str], size: tuple[int, int]) -> Tensor:
    image = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(image)
    for number, panel in enumerate(panels):
        corner = (MARGIN + number * (PANEL + MARGIN), TITLE)
        if panel == "words" and each.words is not None:
            _matrix(draw, corner, each.words, "where a subject's words are seen")
        elif panel == "pixels" and each.pixels is not None:
            _matrix(draw, corner, each.pixels, "what a subject's pixels look at")
        elif panel == "queries" and each.queries is not None and each.owners is not None:
            _scatter(draw, corner, each.queries, each.owners)
    _legend(draw, each, size)
    return from_pillow(image)


def _matrix(draw: ImageDraw.ImageDraw, corner: Position, shares: Tensor, title: str) -> None:
    """(S, S + 1) in percent; rows are subjects, columns places, the last the rest of the picture."""
    _text(draw, (corner[0], corner[1] - TITLE // 2 - 4), title, 19, anchor="lm")
    rows, columns = shares.shape
    left, top = corner[0] + LABELS, corner[1] + LABELS
    side_x, side_y = (PANEL - LABELS) / columns, (PANEL - LABELS) / rows
    colours = colour_table("magma")
    for column in range(columns):
        middle = (round(left + (column + 0.5) * side_x), corner[1] + LABELS // 2)
        _marker(draw, middle, column if column < rows else None)
    for row in range(rows):
        _marker(draw, (corner[0] + LABELS // 2, round(top + (row + 0.5) * side_y)), row)
        for column in range(columns):
            share = float(shares[row, column])
            box = (left + column * side_x, top + row * side_y, left + (column + 1) * side_x - 2)
            colour = colours[round(min(max(share, 0), 1) * 255)]
            draw.rectangle((*box, top + (row + 1) * side_y - 2), fill=colour_bytes(colour))
            ink = INK if float(colour.mean()) < 0.55 else PAPER
            middle = (round(left + (column + 0.5) * side_x), round(top + (row + 0.5) * side_y))
            _text(draw, middle, f"{share:.0%}", min(20, int(side_x / 2.6)), ink, "mm")


def _scatter(draw: ImageDraw.ImageDraw, corner: Position, points: Tensor, owners: Tensor) -> None:
    """The cells of the subjects by the two main components of their queries, one scale for both."""
    _text(
        draw,
        (corner[0], corner[1] - TITLE // 2 - 4),
        "queries of the subjects' pixels (PCA)",
        19,
        anchor="lm",
    )
    draw.rectangle((*corner, corner[0] + PANEL, corner[1] + PANEL), outline=(70, 70, 80))
    centre = (points.amax(0) + points.amin(0)) / 2
    reach = float((points - centre).abs().max()) or 1.0
    half = PANEL / 2
    radius = 5 if len(points) < 400 else 3
    order = torch.randperm(len(points), generator=torch.Generator().manual_seed(0))  # none hides all others
    for number in order.tolist():
        x, y = ((points[number] - centre) / reach * (half - 14) + half).tolist()
        spot = (
            corner[0] + x - radius,
            corner[1] + y - radius,
            corner[0] + x + radius,
            corner[1] + y + radius,
        )
        draw.ellipse(spot, fill=colour_bytes(subject_colour(int(owners[number]))), outline=PAPER)


def _legend(draw: ImageDraw.ImageDraw, each: Leakage, size: tuple[int, int]) -> None:
    column_width = (size[0] - 2 * MARGIN) // LEGEND_COLUMNS
    names: dict[int | None, str] = {number: subject.phrase for number, subject in enumerate(each.subjects)}
    for place, (number, text) in enumerate([*names.items(), (None, "the rest of the picture")]):
        row, column = divmod(place, LEGEND_COLUMNS)
        left = MARGIN + column * column_width
        middle = TITLE + PANEL + MARGIN + row * ROW + ROW // 2
        _marker(draw, (left + LABELS // 2, middle), number)
        room = column_width - LABELS - 8
        text = shortened(*legible(text, 17), room)
        _text(draw, (left + LABELS, middle), text, 17, anchor="lm")


def _marker(draw: ImageDraw.ImageDraw, middle: Position, subject: int | None) -> None:
    """A dot of the subject's colour with its number; a ring for the rest of the picture."""
    x, y = middle
    circle = (x - DOT - 3, y - DOT - 3, x + DOT + 3, y + DOT + 3)
    if subject is None:
        draw.ellipse(circle, outline=FAINT, width=2)
        return
    draw.ellipse(circle, fill=colour_bytes(subject_colour(subject)))
    _text(draw, middle, str(subject + 1), 15, PAPER, "mm")


def _text(
    draw: ImageDraw.ImageDraw,
    place: Position,
    text: str,
    size: int,
    ink: tuple[int, int, int] = INK,
    anchor: str = "lm",
) -> None:
    text, font = legible(text, max(8, size))
    draw.text(place, text, font=font, fill=ink, anchor=anchor)
