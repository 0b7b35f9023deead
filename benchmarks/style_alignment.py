"""Does a set share one style, and at what price? 24 sets of four different subjects, no style word.

The demo model's judge, trained on rendered scenes, says what each picture shows. Same style and same colour:
the share of the six pairs of a set that it finds in one style, and whose surest subjects in one colour (none
is asked for). Subject: the share of pictures whose surest subject is the one asked for. Seeds are fixed and
the same for all variants.

With `--from-a-picture` the style is that of a given picture: see `style_of_a_picture`.
"""

import argparse
from collections import defaultdict
from itertools import combinations
from pathlib import Path
from typing import Any

from measure.setting import host

host.start()

import numpy as np  # noqa: E402  the host is found only now
import torch  # noqa: E402
from attention_control.demo_model.judge import Judge  # noqa: E402
from attention_control.nodes.demo.load_demo_model_node import LoadDemoModel  # noqa: E402
from measure.pages import record  # noqa: E402
from measure.style import style_of_a_picture  # noqa: E402
from measure.style.sets import pictures, sets, sheet  # noqa: E402

VARIANTS: dict[str, dict[str, Any]] = {
    "plain batch": {"sharing": "off", "adain": "off"},
    "without AdaIN": {"adain": "off"},
    "without sharing": {"sharing": "off"},
    "StyleAligned": {},
    "with group norm": {"share_group_norm": True},  # as the authors' code has it by default
    "all images share": {"sharing": "all images"},
}
QUICK_VARIANTS = ("plain batch", "StyleAligned")
Figures = dict[str, dict[str, float]]
Chosen = dict[str, torch.Tensor]


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


def among_themselves(demo: Any, judge: Judge, options: argparse.Namespace) -> tuple[Figures, Chosen]:
    """The style that the first picture of each set happens to have."""
    figures, chosen = {}, {}
    for name in QUICK_VARIANTS if options.quick else VARIANTS:
        scores: dict[str, list[bool]] = defaultdict(list)
        for seed, (nouns, place) in enumerate(sets(1 if options.quick else 24)):
            images = pictures(demo, VARIANTS[name], nouns, place, seed, 2 if options.quick else 20)
            if seed == options.picture:
                chosen[name] = images
            for measure, values in score(judge(images), nouns).items():
                scores[measure] += values
        figures[name] = {measure: float(np.mean(values)) for measure, values in scores.items()}
        print(name, figures[name], flush=True)
    return figures, chosen


def main() -> None:
    parser = record.parser(__doc__, "one set, two of the variants, two steps")
    parser.add_argument("--picture", type=int, default=0, help="the set that the picture shows")
    parser.add_argument("--from-a-picture", action="store_true", help="take the style from rendered pictures")
    cache = Path.home() / ".cache" / "attention-control" / "demo_model"
    parser.add_argument("--cache", type=Path, default=cache, help="where drawings are kept (made by npm)")
    options = parser.parse_args()
    measure = style_of_a_picture.measure if options.from_a_picture else among_themselves
    with torch.inference_mode():
        figures, chosen = measure(LoadDemoModel.execute().args, Judge.load(), options)
    rows = [[name, *(f"{share:.0%}" for share in measures.values())] for name, measures in figures.items()]
    print(record.table(["variant", *next(iter(figures.values()))], rows))
    name = "style_of_a_picture" if options.from_a_picture else "style_alignment"
    path = record.write(name, {"variants": figures}, options)
    sheet(chosen).save(path.with_suffix(".jpg"), quality=92)
    print(f"written: {path.name} and a picture beside it")


if __name__ == "__main__":
    main()
