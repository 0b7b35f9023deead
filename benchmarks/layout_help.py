"""The pictures of the help pages of the layout nodes: one prompt, the same noise, without and with the node.

Writes BoundedAttention.jpg and LayoutGuidance.jpg (plain above, with the node below; white frames are the
boxes) and AttentionLeakage.jpg (its figure of a plain picture, and of the same with bounds). Nothing is
picked: the first pictures of one seed.
"""

from pathlib import Path
from typing import Any

import layout_pictures  # brings the host
import torch
from attention_control.nodes.demo.load_demo_model_node import LoadDemoModel
from attention_control.nodes.pictures.leakage_figure import draw_leakage
from layout_pictures import framed, sheet, with_leakage
from measure.layout.prompts import Ask
from measure.layout.ways import WAYS, Way, pictures, starting_noise, ways
from measure.pages import record
from PIL import Image
from torch import Tensor

DOCS = Path(__file__).resolve().parent.parent / "web" / "docs"
WIDEST = 1400  # pixels
IMAGES, STEPS = 5, 20
NODES = ("Bounded Attention", "Layout Guidance")


def ask() -> Ask:
    """Two of one kind, as in the paper."""
    boxes = [(4, 40, 54, 90), (74, 40, 124, 90)]
    named = [("orange cat", "orange", "cat"), ("gray cat", "gray", "cat")]
    return layout_pictures.asked_for("an orange cat and a gray cat", "stairs", named, boxes)


def drawn(picture: Tensor) -> Image.Image:
    return Image.fromarray((picture.clamp(0, 1) * 255).round().byte().numpy())


def with_figure(demo: Any, way: Way, asked: Ask, seed: int, steps: int) -> list[Image.Image]:
    """A picture with its boxes, and what Attention Leakage shows of it."""
    image, found = with_leakage(demo, way, asked, seed, steps, queries=True)
    figure = drawn(draw_leakage([found])[0])
    return [framed(image, asked).resize((figure.height, figure.height)), figure]


def save(image: Image.Image, path: Path) -> None:
    image.thumbnail((WIDEST, WIDEST), Image.Resampling.LANCZOS)
    image.save(path, quality=92)
    print(f"written: {path.name}")


def main() -> None:
    parser = record.parser(__doc__ or "", "two pictures of one step with one iteration")
    parser.set_defaults(output=DOCS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    images, steps, how = (2, 1, ways(1)) if options.quick else (IMAGES, STEPS, WAYS)
    options.output.mkdir(parents=True, exist_ok=True)
    with torch.inference_mode():
        demo = LoadDemoModel.execute().args
        asked, noise = ask(), starting_noise(demo, images, options.seed)
        rows = {
            name: pictures(demo, how[name], [asked] * images, noise, options.seed, steps)
            for name in ("plain", *NODES)
        }
        shown = {name: [framed(image, asked) for image in row] for name, row in rows.items()}
        figures = [with_figure(demo, how[name], asked, options.seed, steps) for name in ("plain", NODES[0])]
    for name in NODES:
        save(sheet([shown["plain"], shown[name]]), options.output / f"{name.replace(' ', '')}.jpg")
    save(sheet(figures), options.output / "AttentionLeakage.jpg")


if __name__ == "__main__":
    main()
