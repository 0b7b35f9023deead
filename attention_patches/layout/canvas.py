"""The canvas that boxes were drawn on, beside the picture that is made: what lets one doubt that they fit."""

from .regions import Layout

Size = tuple[int, int]
"""(width, height) in pixels."""

SAME_ASPECT = 1.05  # canvases are rounded to multiples of 8 or 64 pixels
TINY = 0.005  # of the picture; a cell of the authors' layers is a 256th


def doubt_of_canvas(layout: Layout, picture: Size) -> str | None:
    """What is said of boxes that were measured on a canvas which is not this picture's; None if nothing is.

    Said is that another aspect ratio stretches them; that all lie where the picture would be in a larger
    canvas, whose size was left at what it was; else that some are next to nothing.
    """
    if layout.canvas is None:
        return None
    sizes = f"The canvas of the boxes has {_size(layout.canvas)} pixels and the picture {_size(picture)}"
    remedy = "Set `width` and `height` to the canvas that they were drawn in"
    boxes = [box for subjects in layout.images for subject in subjects for box in subject.boxes]
    (width, height), (w, h) = layout.canvas, picture
    if w < width and h < height and all(x1 * width <= w and y1 * height <= h for *_, x1, y1 in boxes):
        return f"{sizes}: all boxes lie in its upper left {_size(picture)} pixels. {remedy}."
    aspect = width * h / (height * w)
    if not 1 / SAME_ASPECT < aspect < SAME_ASPECT:
        times = max(aspect, 1 / aspect)
        return f"{sizes}: they are stretched by {times:.2g}. {remedy}, of the picture's aspect ratio."
    tiny = [
        f"{subject.phrase} ({(x1 - x0) * (y1 - y0):.1%})"
        for subjects in layout.images
        for subject in subjects
        for x0, y0, x1, y1 in subject.boxes
        if (x1 - x0) * (y1 - y0) < TINY
    ]
    if tiny:
        return f"Next to nothing of the picture is the box of {', '.join(tiny)}. {remedy}."
    return None


def _size(size: Size) -> str:
    return f"{size[0]} x {size[1]}"
