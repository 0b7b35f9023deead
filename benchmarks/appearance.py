"""Does Cross-Image Attention keep the structure and move the appearance? 100 pairs of rendered scenes.

The two pictures of a pair differ in subject, colour, style and background. Both are inverted (edit friendly
DDPM, CFG 1, prompt: the structure's noun) and transferred by the node with its defaults and the true masks;
also without contrast and guidance, which sharpen the swap, and without AdaIN as well. The host's img2img gets
the structure, noise up to a point of the schedule, CFG 3, and words: either what the result should be (the
structure's noun with the appearance's colour and style named, which Cross-Image is not told), or the
appearance's own caption.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from measure.setting import host

host.start()

import numpy as np  # noqa: E402  the host is found only now
import torch  # noqa: E402
from attention_control.demo_model.judge import Judge  # noqa: E402
from attention_control.demo_model.world import Sprites, sample_scene  # noqa: E402
from attention_control.nodes.demo.load_demo_model_node import LoadDemoModel  # noqa: E402
from measure.appearance.pairs import SEED, SIZE, Pair, Shown, pairs, shown  # noqa: E402
from measure.appearance.runs import SETTINGS, Bench  # noqa: E402
from measure.appearance.scores import Scores  # noqa: E402
from measure.pages import record  # noqa: E402
from measure.reading.subject_reader import SubjectReader  # noqa: E402
from measure.style.sets import sheet  # noqa: E402

BATCH = 10
UNSHARPENED = {"contrast": 1.0, "swap_guidance": 1.0}
PLAIN_SWAP = {**UNSHARPENED, "adain": "off"}
LATER = (0.5, 0.65)  # img2img with less noise than Cross-Image starts from
QUICK_WAYS = ("reconstruction", "Cross-Image", "img2img, same noise")


def runs(bench: Bench, quick: bool) -> dict[str, torch.Tensor]:
    """The pictures (B, H, W, 3) of each way; in a smoke run of one of each kind."""
    begin, start = SETTINGS["begin_percent"], SETTINGS["start_percent"]
    wanted = [pair.wanted for pair in bench.pairs]
    ways: dict[str, Callable[[], torch.Tensor]] = {
        "reconstruction": lambda: bench.transfer(end_percent=start),
        "swap alone": lambda: bench.transfer(**PLAIN_SWAP),
        "swap and AdaIN": lambda: bench.transfer(**UNSHARPENED),
        "Cross-Image": bench.transfer,
        "with guidance 2": lambda: bench.transfer(swap_guidance=2.0),
        "img2img, same noise": lambda: bench.img2img(wanted, begin),
        **{f"img2img, {p:.0%} done": partial(bench.img2img, wanted, p) for p in LATER},
        "img2img, its caption": lambda: bench.img2img([p.appearance.caption for p in bench.pairs], begin),
    }
    return {name: way() for name, way in ways.items() if not quick or name in QUICK_WAYS}


def reader(judge: Judge, vae: Any, sprites: Sprites, quick: bool) -> tuple[SubjectReader, float]:
    """What finds subjects in pictures, and how far it can be trusted."""
    held = 2 if quick else 20
    draws = [np.random.default_rng([99, i]) for i in range(6 if quick else 140)]
    scenes: list[Shown] = [shown(sample_scene(draw, SIZE, SIZE, 1), sprites) for draw in draws]
    made = SubjectReader.fit(judge, vae, scenes[:-held])
    return made, made.trust(vae, scenes[-held:])


def given(some: list[Pair]) -> dict[str, torch.Tensor]:
    return {name: torch.stack([getattr(p, name).image for p in some]) for name in ("structure", "appearance")}


def main() -> None:
    parser = record.parser(__doc__, "two pairs, some of the ways, four steps")
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--steps", type=int, default=25, help="of the inversions")
    cache = Path.home() / ".cache" / "attention-control" / "demo_model"
    parser.add_argument("--cache", type=Path, default=cache, help="where drawings are kept (made by npm)")
    options = parser.parse_args()
    with torch.inference_mode():
        measure(options)


def measure(options: argparse.Namespace) -> None:
    """The figures are written after every ten pairs."""
    number, steps = (2, 4) if options.quick else (options.pairs, options.steps)
    demo, judge, sprites = LoadDemoModel.execute().args, Judge.load(), Sprites.load(options.cache)
    find, trust = reader(judge, demo[2], sprites, options.quick)
    print(f"subjects are found with a mean IoU of {trust:.2f}", flush=True)
    every, scores = list(pairs(sprites, number)), dict[str, Scores]()
    for first in range(0, number, BATCH):
        part: list[Pair] = every[first : first + BATCH]
        images = runs(Bench.of(demo, part, steps), options.quick)
        for name, made in images.items():
            scores.setdefault(name, Scores()).add(find, part, made)
        figures = {name: score.means() for name, score in scores.items()}
        done = {
            "pairs": first + len(part),
            "steps": steps,
            "seeds": {"scenes": SEED, "inversions": [0, 1], "img2img": 0},
            "subject reader IoU": trust,
            "variants": figures,
        }
        path = record.write("appearance", done, options)
        print(f"{done['pairs']} pairs", flush=True)
        if first == 0:
            sheet({**given(part), **images}).save(path.with_suffix(".jpg"), quality=92)
    rows = [[name, *(f"{value:.2f}" for value in values.values())] for name, values in figures.items()]
    print(record.table(["", *next(iter(figures.values()))], rows))
    print(f"written: {path.name} and a picture beside it")


if __name__ == "__main__":
    main()
