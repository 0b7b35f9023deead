"""The sizes of windows in pixels, as users give them."""

PIXELS = 8  # of a cell's side
LARGEST = 16384


def require_windows(width: int, height: int, stride: int) -> None:
    """Raises ValueError unless windows of these sizes in pixels cover a picture."""
    for name, value in (("window_width", width), ("window_height", height), ("stride", stride)):
        if value % PIXELS or value < PIXELS:
            below = max(value // PIXELS, 1) * PIXELS
            raise ValueError(
                f"{name} is {value}, and windows go by cells of {PIXELS} pixels. Take {below} or "
                f"{below + PIXELS}."
            )
    for name, value in (("window_width", width), ("window_height", height)):
        if stride > value:
            raise ValueError(
                f"stride is {stride}, above {name} ({value}): between two windows there would be cells that "
                f"belong to none. Take {value} at most."
            )
