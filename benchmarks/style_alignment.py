"""Does a set share one style, and at what price? 24 sets of four different subjects, no style word.

The demo model's judge, trained on rendered scenes, says what each picture shows. Same style and same colour:
the share of the six pairs of a set that it finds in one style, and whose surest subjects in one colour (none
is asked for). Subject: the share of pictures whose surest subject is the one asked for. Seeds are fixed and
the same for all variants.
"""

from collections import defaultdict
from itertools import combinations
from typing import Any

import host

host.start()

import comfy.sample  # noqa: E402  the host is found only now
import numpy as np  # noqa: E402
import record  # noqa: E402
import torch  # noqa: E402
from attention_control.attention_patches.methods.style_aligned import StyleAligned  # noqa: E402
from attention_control.demo_model.judge import Judge  # noqa: E402
from attention_control.demo_model.world.vocabulary import BACKGROUNDS, SUBJECTS  # noqa: E402
from attention_control.nodes.host.install import install  # noqa: E402
from attention_control.nodes.host.prompt_batch import encode_rows  # noqa: E402
from attention_control.nodes.host.unet import layer_map  # noqa: E402
from attention_control.nodes.load_demo_model import LoadDemoModel  # noqa: E402
from PIL import Image, ImageDraw  # noqa: E402

VARIANTS: dict[str, dict[str, Any]] = {
    "plain batch": {"sharing": "off", "adain": "off"},
    "without AdaIN": {"adain": "off"},
    "without sharing": {"sharing": "off"},
    "StyleAligned": {},
    "all images share": {"sharing": "all images"},
}
SIZE = 128


def sets(number: int) -> list[tuple[list[str], str]]:
    """Four different subjects and a background each; every subject is asked for equally often."""
    rng = np.random.default_rng(7)
    orders = [rng.permutation(list(SUBJECTS)).reshape(-1, 4) for _ in range(-(-number // 6))]
    backgrounds = list(BACKGROUNDS.values())
    return [
        ([str(n) for n in nouns], backgrounds[i % len(backgrounds)])
        for i, nouns in enumerate(np.concatenate(orders)[:number])
    ]


def pictures(
    demo: Any, settings: dict[str, Any], nouns: list[str], place: str, seed: int, steps: int
) -> torch.Tensor:
    """Four images (4, SIZE, SIZE, 3) in 0..1."""
    model, clip, vae = demo
    model = install(model, StyleAligned(layers=layer_map(model).parse("all"), **settings))
    articles = ["an" if noun[0] in "aeiou" else "a" for noun in nouns]
    prompts = [f"{article} {noun} {place}" for article, noun in zip(articles, nouns, strict=True)]
    latent = torch.zeros(len(prompts), 4, SIZE // 8, SIZE // 8)
    samples = comfy.sample.sample(
        model,
        comfy.sample.prepare_noise(latent, seed),
        steps,
        3.0,
        "euler",
        "normal",
        encode_rows(clip, prompts),
        encode_rows(clip, [""]),
        latent,
        disable_pbar=True,
        seed=seed,
    )
    return vae.decode(samples)


def score(verdicts: list[Any], nouns: list[str]) -> dict[str, list[bool]]:
    """Same style and same colour for each pair, the right subject for each picture."""
    surest = [max(v.subjects, key=lambda s: s.score, default=None) for v in verdicts]
    pairs = list(combinations(range(len(verdicts)), 2))
    colours = [found.colour if found else None for found in surest]
    return {
        "same style": [verdicts[a].style == verdicts[b].style for a, b in pairs],
        "same colour": [colours[a] is not None and colours[a] == colours[b] for a, b in pairs],
        "subject": [found is not None and found.noun == n for found, n in zip(surest, nouns, strict=True)],
    }


def sheet(rows: dict[str, torch.Tensor]) -> Image.Image:
    """One row of pictures per variant, with its name on the left."""
    margin = 120
    canvas = Image.new("RGB", (margin + 4 * SIZE, len(rows) * SIZE), "white")
    draw = ImageDraw.Draw(canvas)
    for row, (name, images) in enumerate(rows.items()):
        draw.text((6, row * SIZE + SIZE // 2 - 6), name, fill="black")
        for column, image in enumerate(images):
            pixels = (image.clamp(0, 1) * 255).round().byte().numpy()
            canvas.paste(Image.fromarray(pixels), (margin + column * SIZE, row * SIZE))
    return canvas


def main() -> None:
    parser = record.parser(__doc__, "two sets, ten steps")
    parser.add_argument("--picture", type=int, default=0, help="the set that the picture shows")
    options = parser.parse_args()
    judge, chosen, figures = Judge.load(), {}, {}
    with torch.inference_mode():
        demo = LoadDemoModel.execute().args
        for name, settings in VARIANTS.items():
            scores: dict[str, list[bool]] = defaultdict(list)
            for seed, (nouns, place) in enumerate(sets(2 if options.quick else 24)):
                images = pictures(demo, settings, nouns, place, seed, 10 if options.quick else 20)
                if seed == options.picture:
                    chosen[name] = images
                for measure, values in score(judge(images), nouns).items():
                    scores[measure] += values
            figures[name] = {measure: float(np.mean(values)) for measure, values in scores.items()}
            print(name, figures[name], flush=True)
    rows = [[name, *(f"{share:.0%}" for share in measures.values())] for name, measures in figures.items()]
    print(record.table(["variant", *figures["StyleAligned"]], rows))
    path = record.write("style_alignment", {"variants": figures}, options)
    sheet(chosen).save(path.with_suffix(".jpg"), quality=92)
    print(f"written: {path.name} and a picture beside it")


if __name__ == "__main__":
    main()
