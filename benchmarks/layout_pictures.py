"""The paper's prompts on the demo model, plain and bounded, with the leakage of the first beside it.

Three ginger and two gray kittens in four places; a unicorn, a hedgehog and an owl in a forest; five pets of
five colours. Writes layout.jpg; white frames are the boxes. Nothing is picked: one seed for all.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from measure.setting import host

host.start()

import numpy as np  # noqa: E402  the host is found only now
import torch  # noqa: E402
from attention_control.attention_patches.layout.leakage import Leakage, leakage  # noqa: E402
from attention_control.attention_patches.maps.recorded import MapStore  # noqa: E402
from attention_control.demo_model.world import BACKGROUNDS  # noqa: E402
from attention_control.nodes.demo.load_demo_model_node import LoadDemoModel  # noqa: E402
from attention_control.nodes.host.run.install import install  # noqa: E402
from attention_control.nodes.inspect.recording_inputs import make_recorder  # noqa: E402
from attention_control.nodes.pictures.leakage_figure import draw_leakage  # noqa: E402
from measure.layout.prompts import SIZE, Ask, Pixels, Wanted  # noqa: E402
from measure.layout.ways import WAYS, Way, layout_of, pictures, starting_noise, ways  # noqa: E402
from measure.pages import record  # noqa: E402
from PIL import Image, ImageDraw  # noqa: E402
from torch import Tensor  # noqa: E402

CORNERS = [(4, 4), (84, 4), (44, 44), (4, 84), (84, 84)]  # the three of one phrase lie apart
FIVE: list[Pixels] = [(x, y, x + 40, y + 40) for x, y in CORNERS]
THREE: list[Pixels] = [(4, 16, 52, 64), (76, 16, 124, 64), (40, 72, 88, 120)]
SCALE, STEPS = 2, 20
Named = Sequence[tuple[str, ...]]  # phrase, colour, noun


def asked_for(text: str, place: str, named: Named, boxes: Sequence[Pixels]) -> Ask:
    wanted = (
        Wanted(noun, colour, phrase, box) for (phrase, colour, noun), box in zip(named, boxes, strict=True)
    )
    return Ask("paper", f"{text} {BACKGROUNDS[place]}", place, tuple(wanted))


def asks() -> list[Ask]:
    """One prompt for each column."""
    kittens = [("ginger kittens", "orange", "cat")] * 3 + [("gray kittens", "gray", "cat")] * 2
    forest = [("unicorn", "", "unicorn"), ("hedgehog", "", "hedgehog"), ("owl", "", "owl")]
    pets = ("red cat", "blue dog", "yellow rabbit", "green fish", "purple bird")
    named = [(phrase, *phrase.split()) for phrase in pets]
    return [
        *(
            asked_for("three ginger kittens and two gray kittens", place, kittens, FIVE)
            for place in ("stairs", "street", "basket", "snow")
        ),
        asked_for("a unicorn and a hedgehog and an owl", "forest", forest, THREE),
        asked_for(" and ".join(f"a {phrase}" for phrase, _, _ in named), "beach", named, FIVE),
    ]


def with_leakage(
    demo: Any, way: Way, ask: Ask, seed: int, steps: int, queries: bool = False
) -> tuple[Tensor, Leakage]:
    """A picture (SIZE, SIZE, 3), and where its words and pixels are seen."""

    def recorded(demo: Any, asked: Sequence[Ask]) -> tuple[Any, Any]:
        model, positive = way(demo, asked)
        return install(model, recorder), positive

    recorder = make_recorder(MapStore(), demo[0], "both", "all", 1024, "mean", queries, 2048)
    image = pictures(demo, recorded, [ask], starting_noise(demo, 1, seed), seed, steps)
    return image[0], leakage(recorder.store.read(image), layout_of(demo[1], [ask]), image=0)


def matrix(found: Leakage) -> Image.Image:
    """The table of the words alone, as high as a picture."""
    drawn = draw_leakage([replace(found, pixels=None, queries=None, owners=None)])[0]
    table = Image.fromarray((drawn * 255).round().byte().numpy().astype(np.uint8))
    height = SCALE * SIZE
    return table.resize((table.width * height // table.height, height), Image.Resampling.LANCZOS)


def framed(image: Tensor, ask: Ask) -> Image.Image:
    """The picture, enlarged, with its boxes."""
    pixels = Image.fromarray((image.clamp(0, 1) * 255).round().byte().numpy())
    large = pixels.resize((SCALE * SIZE, SCALE * SIZE), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(large)
    for wanted in ask.wanted:
        draw.rectangle([SCALE * side for side in wanted.box], outline="white")
    return large


def sheet(rows: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """Rows of pictures of one height, those of a column under each other."""
    gap = 6
    width = sum(image.width + gap for image in rows[0]) - gap
    canvas = Image.new("RGB", (width, len(rows) * (rows[0][0].height + gap) - gap), "white")
    for number, row in enumerate(rows):
        left = 0
        for image in row:
            canvas.paste(image, (left, number * (image.height + gap)))
            left += image.width + gap
    return canvas


def main() -> None:
    parser = record.parser(__doc__, "the first prompt, one step with one iteration")
    parser.add_argument("--seed", type=int, default=0)
    options: argparse.Namespace = parser.parse_args()
    wanted, steps, how = (asks()[:1], 1, ways(1)) if options.quick else (asks(), STEPS, WAYS)
    rows = []
    with torch.inference_mode():
        demo = LoadDemoModel.execute().args
        for way in (how["plain"], how["Bounded Attention"]):
            shown = [with_leakage(demo, way, ask, options.seed, steps) for ask in wanted]
            row = [framed(image, ask) for (image, _), ask in zip(shown, wanted, strict=True)]
            rows.append([*row, matrix(shown[0][1])])
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / f"layout{'.quick' if options.quick else ''}.jpg"
    sheet(rows).save(path, quality=92)
    print(f"written: {path.name}")


if __name__ == "__main__":
    main()
