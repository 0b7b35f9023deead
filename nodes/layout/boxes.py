"""Boxes, as the host's nodes emit them and as users write them, in fractions of the picture."""

import json
import math
import re
import reprlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...attention_patches.layout.cells import Box
from ...attention_patches.text.lists import COLONS, COMMAS

Canvas = tuple[int, int]
"""(width, height) in pixels."""

LARGEST = 16384  # pixels of a side
SIDES = ("x", "y", "width", "height")
ELEMENT_SCALE = 1000  # sides of the picture in the host's `elements`
_NUMBER = r"([-+]?(?:\d+(?:\.\d*)?|\.\d+))"
_GAP = rf"[\s{COMMAS}]+"
_LINE = rf"\s*{_NUMBER}{_GAP}{_NUMBER}{_GAP}{_NUMBER}{_GAP}{_NUMBER}\s*(?:[{COLONS}]\s*(.*?))?\s*"
_NEXT_IMAGE = r"\s*-{3,}\s*"
_SHORT = reprlib.Repr()
_SHORT.maxstring = 60


@dataclass(frozen=True)
class Drawn:
    """A box, and what stands in it, if that was said; `where` names it in messages, `measured` says that its
    sides were given in pixels of the canvas."""

    box: Box
    phrase: str = ""
    where: str = field(default="", compare=False)
    measured: bool = field(default=True, compare=False)


def drawn_boxes(value: Any, canvas: Canvas | None, name: str, typed: bool = False) -> list[list[Drawn]]:
    """The boxes of each image, from BOUNDING_BOX or ARRAY values in any of the host's nestings.

    A box, a list of boxes for all images, or a list of such lists, one for each image. Numbers that people
    have `typed` may be fractions. Raises ValueError, naming the input, for anything else, and for boxes
    outside the canvas.
    """
    if value is None:
        return []
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list | tuple):
        raise ValueError(f"{name}: {_short(value)} holds no boxes; connect boxes, or lists of boxes")
    several = any(isinstance(item, list | tuple) for item in value)
    frames = value if several else [value]
    if odd := [frame for frame in frames if not isinstance(frame, list | tuple)]:
        raise ValueError(
            f"{name}: some images have a list of boxes, and one has {_short(odd[0])}; give each a list"
        )
    return _each(frames, _typed if typed else _read, canvas, name)


def written_boxes(text: str, canvas: Canvas | None) -> list[list[Drawn]]:
    """The boxes of each image from text: JSON, or lines `x y w h: phrase`, and `---` before the next image.

    Pixels of the canvas; fractions, if none of a box's four numbers is above 1. Where the canvas is not known
    yet, it is None: what fits into some canvas is let through. Raises ValueError, quoting the line, for what
    it cannot read.
    """
    if text.lstrip().startswith(("[", "{")):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"boxes: this is no valid JSON: {error}") from error
        return drawn_boxes(value, canvas, "boxes", typed=True)
    frames: list[list[str]] = [[]]
    for line in text.splitlines():
        if re.fullmatch(_NEXT_IMAGE, line):
            frames.append([])
        elif line.strip():
            frames[-1].append(line.strip())
    return _each(frames, _written, canvas, "boxes")


def _each(
    frames: Sequence[Sequence[Any]],
    read: Callable[[Any, Canvas | None, str], Drawn],
    canvas: Canvas | None,
    name: str,
) -> list[list[Drawn]]:
    """What `read` makes of every box of every image; nothing if there are no boxes at all."""
    found = []
    for image, frame in enumerate(frames):
        of_image = f" of image {image}" if len(frames) > 1 else ""
        found.append(
            [read(box, canvas, f"{name}: box {number}{of_image}") for number, box in enumerate(frame, 1)]
        )
    return found if any(found) else []


def _written(line: str, canvas: Canvas | None, where: str) -> Drawn:
    match = re.fullmatch(_LINE, line)
    if match is None:
        raise ValueError(
            f"boxes: {_short(line)} is not of the form `x y w h: phrase`, four numbers and then what is in "
            "the box, as in `64 128 192 256: ginger kitten`"
        )
    return _placed(_numbers([match[part] for part in range(1, 5)], where), canvas, where, match[5] or "")


def _placed(numbers: Sequence[float], canvas: Canvas | None, where: str, phrase: str) -> Drawn:
    """A box by what people have typed: in fractions, if none of its four numbers is above 1."""
    x, y, width, height = numbers
    corners = x, y, x + width, y + height
    if max(numbers) > 1:
        return Drawn(_measured(corners, canvas, where), phrase, where)
    return Drawn(_inside(corners, canvas, where), phrase, where, measured=False)


def _typed(item: Any, canvas: Canvas | None, where: str) -> Drawn:
    if not isinstance(item, dict) or "bbox" in item:
        return _read(item, canvas, where)
    return _placed(_numbers([item.get(key) for key in SIDES], where), canvas, where, _phrase(item))


def _read(item: Any, canvas: Canvas | None, where: str) -> Drawn:
    if not isinstance(item, dict):
        raise ValueError(f"{where} is {_short(item)}; a box is a dictionary with x, y, width and height")
    if "bbox" in item:
        y0, x0, y1, x1 = (side / ELEMENT_SCALE for side in _numbers(item["bbox"], where))
        box = _inside((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)), canvas, where)
        return Drawn(box, _phrase(item), where, measured=False)
    x, y, width, height = _numbers([item.get(key) for key in SIDES], where)
    return Drawn(_measured((x, y, x + width, y + height), canvas, where), _phrase(item), where)


def _numbers(values: Any, where: str) -> tuple[float, ...]:
    """Four finite numbers, also such as are text."""
    try:
        listed = () if isinstance(values, str | dict) else tuple(values)
        numbers = tuple(math.nan if isinstance(value, bool) else float(value) for value in listed)
    except (TypeError, ValueError, OverflowError):
        numbers = ()
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)):
        raise ValueError(
            f"{where} has {_short(values)} where four numbers should be: x, y, width and height in pixels of "
            "the canvas, or in an element `bbox` with ymin, xmin, ymax and xmax of 0 to 1000"
        )
    return numbers


def _short(value: Any) -> str:
    """A value as it is written, but not all of a long one."""
    return _SHORT.repr(value)


def _phrase(item: dict[str, Any]) -> str:
    metadata = item.get("metadata")
    places = [item, metadata] if isinstance(metadata, dict) else [item]
    said = (place.get(key) for key in ("desc", "text", "label") for place in places)
    return next((text.strip() for text in said if isinstance(text, str) and text.strip()), "")


def _measured(corners: Box, canvas: Canvas | None, where: str) -> Box:
    """Corners in pixels as fractions."""
    x0, y0, x1, y1 = corners
    width, height = canvas or (LARGEST, LARGEST)
    _require_area(corners, where, "pixels ")
    if min(x0, y0) < -1 or x1 > width + 1 or y1 > height + 1:
        raise ValueError(
            f"{where} goes from ({x0:g}, {y0:g}) to ({x1:g}, {y1:g}), beyond the canvas of {width} x "
            f"{height} pixels. Set `width` and `height` to those of the node in which the boxes were drawn."
        )
    return _inside((x0 / width, y0 / height, x1 / width, y1 / height), None, where)


def _inside(corners: Box, canvas: Canvas | None, where: str) -> Box:
    """What of a box in fractions is in the picture; a pixel over the edge is forgiven, since hosts round, and
    all of it where nobody knows yet how large a pixel is."""
    x0, y0, x1, y1 = corners
    _require_area(corners, where)
    across, down = (math.inf, math.inf) if canvas is None else (1 / canvas[0], 1 / canvas[1])
    if x0 < -across or y0 < -down or x1 > 1 + across or y1 > 1 + down:
        raise ValueError(
            f"{where} goes from ({x0:g}, {y0:g}) to ({x1:g}, {y1:g}) in fractions of the picture, beyond its "
            "edges at 0 and 1. Move it inside, or make it smaller."
        )
    inside = max(x0, 0.0), max(y0, 0.0), min(x1, 1.0), min(y1, 1.0)
    if inside[0] >= inside[2] or inside[1] >= inside[3]:
        raise ValueError(f"{where} lies on the edge of the canvas, with nothing of it inside")
    return inside


def _require_area(corners: Box, where: str, unit: str = "") -> None:
    x0, y0, x1, y1 = corners
    if x1 <= x0 or y1 <= y0:
        raise ValueError(f"{where} is {x1 - x0:g} {unit}wide and {y1 - y0:g} high: there is nothing in it")
