"""The picture "Structure / Appearance / Output": four rendered scenes in the appearance of three others."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import host

host.start()

import numpy as np  # noqa: E402  the host is found only now
import torch  # noqa: E402
from appearance_pairs import SIZE, Pair, Shown, shown  # noqa: E402
from appearance_runs import Bench  # noqa: E402
from attention_control.demo_model.world import Scene, Sprites, Subject  # noqa: E402
from attention_control.nodes.load_demo_model import LoadDemoModel  # noqa: E402
from PIL import Image, ImageDraw  # noqa: E402
from record import RESULTS  # noqa: E402

GUIDANCE = 1.5  # as in the example workflow; the node's default 3.5 is for larger models
LOOKS = {  # noun: colour, style, background
    "cat": ("gray", "flat", "street"),
    "bear": ("orange", "cartoon", "snow"),
    "rocket": ("blue", "flat", "stairs"),
    "house": ("pink", "clay", "beach"),
}
OTHERS = {
    "owl": ("red", "clay", "forest"),
    "dog": ("purple", "cartoon", "beach"),
    "rabbit": ("green", "sticker", "basket"),
}
GAP = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    cache = Path.home() / ".cache" / "attention-control" / "demo_model"
    parser.add_argument("--cache", type=Path, default=cache, help="where drawings are kept (made by npm)")
    parser.add_argument("--steps", type=int, default=50, help="of the inversions")
    parser.add_argument("--output", type=Path, default=RESULTS, metavar="DIR")
    options = parser.parse_args()
    sprites = Sprites.load(options.cache)
    structures, appearances = list(scenes(LOOKS, sprites)), list(scenes(OTHERS, sprites))
    pairs = [Pair(one, other) for other in appearances for one in structures]
    with torch.inference_mode():
        images = Bench.of(LoadDemoModel.execute().args, pairs, options.steps).transfer(swap_guidance=GUIDANCE)
    path = options.output / "appearance_grid.jpg"
    options.output.mkdir(parents=True, exist_ok=True)
    grid(structures, appearances, images).save(path, quality=92)
    print(f"written: {path.name}")


def scenes(looks: dict[str, tuple[str, str, str]], sprites: Sprites) -> Iterator[Shown]:
    """One subject each, large and in the middle."""
    for noun, (colour, style, background) in looks.items():
        subject = Subject(noun, colour, 28, 28, 72)
        yield shown(Scene(SIZE, SIZE, style, background, (0.3, 0.6), (subject,)), sprites)


def grid(structures: list[Shown], appearances: list[Shown], images: torch.Tensor) -> Image.Image:
    """Structures above, appearances on the left, outputs where they meet."""
    cell, head = SIZE + GAP, 20
    sheet = Image.new("RGB", (cell * (len(structures) + 1), head + cell * (len(appearances) + 1)), "white")

    def place(image: torch.Tensor, column: int, row: int) -> None:
        pixels = np.asarray((image.clamp(0, 1) * 255).round().byte())
        sheet.paste(Image.fromarray(pixels), (column * cell, head + row * cell))

    for column, structure in enumerate(structures, 1):
        place(structure.image, column, 0)
    for row, appearance in enumerate(appearances, 1):
        place(appearance.image, 0, row)
    for number, image in enumerate(images):
        row, column = divmod(number, len(structures))
        place(image, column + 1, row + 1)
    draw = ImageDraw.Draw(sheet)
    draw.text((cell + 4, 4), "structure", fill="black")
    draw.text((4, head + cell - 20), "appearance", fill="black")
    return sheet


if __name__ == "__main__":
    main()
