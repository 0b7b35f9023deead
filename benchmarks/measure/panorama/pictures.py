"""The sheet of the panorama benchmark."""

from PIL import Image, ImageDraw
from torch import Tensor

MARGIN, LINE = 6, 18


def sheet(ways: dict[str, Tensor]) -> Image.Image:
    """The first panorama of each way below its name, (panoramas, H, W, 3) in 0..1 each."""
    first = {name: pictures[0] for name, pictures in ways.items()}
    height, width = next(iter(first.values())).shape[:2]
    canvas = Image.new("RGB", (width + 2 * MARGIN, len(first) * (height + LINE) + MARGIN), "white")
    draw = ImageDraw.Draw(canvas)
    for row, (name, picture) in enumerate(first.items()):
        top = row * (height + LINE)
        draw.text((MARGIN, top + 3), name, fill="black")
        pixels = (picture.clamp(0, 1) * 255).round().byte().numpy()
        canvas.paste(Image.fromarray(pixels), (MARGIN, top + LINE))
    return canvas
