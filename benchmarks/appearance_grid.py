"""Draw the pictures that the example workflows of appearance transfer load.

The grid "Structure / Appearance / Output" itself is made by the example workflow of that name. Its
pictures have their objects painted as the host's mask editor would: what is painted is transparent.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

from measure.setting import host  # noqa: F401  finds the scripts

from pack import ROOT, load_pack

load_pack()

import numpy as np  # noqa: E402  the pack is found only now
from attention_control.demo_model.world import Scene, Sprites, Subject, render  # noqa: E402
from PIL import Image  # noqa: E402

INPUTS = ROOT / "example_workflows" / "inputs"
SIZE = 128
DRAWING = "noto"
Look = tuple[str, str, str, str]  # noun, colour, style, background

GRID: dict[str, Look] = {
    "structure_1": ("cat", "gray", "flat", "street"),
    "structure_2": ("bear", "orange", "cartoon", "snow"),
    "structure_3": ("rocket", "blue", "flat", "stairs"),
    "structure_4": ("house", "pink", "clay", "beach"),
    "appearance_1": ("owl", "red", "clay", "forest"),
    "appearance_2": ("dog", "purple", "cartoon", "beach"),
    "appearance_3": ("rabbit", "green", "sticker", "basket"),
}
TRANSFER: dict[str, tuple[Look, tuple[int, int, int]]] = {  # with left, top and size in pixels
    "structure": (("fox", "orange", "flat", "street"), (46, 44, 64)),
    "appearance": (("cat", "purple", "clay", "forest"), (22, 40, 68)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    cache = Path.home() / ".cache" / "attention-control" / "demo_model"
    parser.add_argument("--cache", type=Path, default=cache, help="where drawings are kept (made by npm)")
    parser.add_argument("--output", type=Path, default=INPUTS, metavar="DIR")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures(Sprites.load(options.cache)).items():
        picture.save(options.output / f"{name}.png", optimize=True)
        print(f"written: {name}.png")


def pictures(sprites: Sprites) -> Mapping[str, Image.Image]:
    """By name; those of the grid have one large subject each, in the middle, and its mask."""
    plain = {name: drawn(look, place, sprites)[0] for name, (look, place) in TRANSFER.items()}
    painted = {name: cut_out(*drawn(look, (28, 28, 72), sprites)) for name, look in GRID.items()}
    return {**plain, **painted}


def drawn(look: Look, place: tuple[int, int, int], sprites: Sprites) -> tuple[Image.Image, Image.Image]:
    """A scene of one subject, and where that is (white)."""
    noun, colour, style, background = look
    subject = Subject(noun, colour, *place, DRAWING)
    picture = render(Scene(SIZE, SIZE, style, background, (0.3, 0.6), (subject,)), sprites)
    mask = (picture.masks[0] > 0.5).astype(np.uint8) * 255
    return Image.fromarray(picture.image), Image.fromarray(mask)


def cut_out(image: Image.Image, mask: Image.Image) -> Image.Image:
    """The image, transparent where the mask is white; its colours there are kept."""
    both = image.convert("RGBA")
    both.putalpha(mask.point(lambda value: 255 - value))
    return both


if __name__ == "__main__":
    main()
