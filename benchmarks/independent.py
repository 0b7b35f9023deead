"""Do the ablations keep their order under a judge that never saw the demo model's world?

StyleAligned: 24 sets as in `style_alignment`; the distance of textures (Gram matrices of VGG16's features)
between the pictures of a set, mean over its six pairs. Cross-Image: pairs as in `appearance`; the distance of
textures to the appearance, and how well the edges agree with the structure's. Each with the difference to the
first way, paired, and its 95 % interval (bootstrap over sets or pairs). See `measure/reading/photographs`.
"""

import argparse
import json
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import Any

from measure.setting import host

host.start()

import numpy as np  # noqa: E402  the host is found only now
import torch  # noqa: E402
from appearance import runs  # noqa: E402
from attention_control.demo_model.world import Sprites  # noqa: E402
from attention_control.nodes.demo.load_demo_model_node import LoadDemoModel  # noqa: E402
from measure.appearance.pairs import pairs  # noqa: E402
from measure.appearance.runs import Bench  # noqa: E402
from measure.pages import record, tables_of_quality  # noqa: E402
from measure.reading.paired import Values, told  # noqa: E402
from measure.reading.photographs import Photographs, edge_agreement, gram_distance  # noqa: E402
from measure.style.sets import pictures, sets  # noqa: E402
from style_alignment import QUICK_VARIANTS, VARIANTS  # noqa: E402

BATCH = 10
NARROW = ((8, 8),) * 5  # channels of a judge for smoke runs


def styles(demo: Any, judge: Photographs, number: int, steps: int, ways: Iterable[str]) -> Values:
    """The distance of textures within each set, for each way of sharing a style."""
    values: Values = {}
    for name in ways:
        found = values.setdefault(name, {"texture distance": []})
        for seed, (nouns, place) in enumerate(sets(number)):
            features = judge.features(pictures(demo, VARIANTS[name], nouns, place, seed, steps))
            one, other = zip(*combinations(range(len(nouns)), 2), strict=True)
            apart = gram_distance([f[list(one)] for f in features], [f[list(other)] for f in features])
            found["texture distance"].append(float(apart.mean()))
        print(name, f"{np.mean(found['texture distance']):.3f}", flush=True)
    return values


def appearances(
    demo: Any, judge: Photographs, sprites: Sprites, number: int, steps: int, quick: bool
) -> Values:
    """What each way of transferring an appearance took over, and what it kept."""
    values: Values = {}
    every = list(pairs(sprites, number))
    for first in range(0, number, BATCH):
        part = every[first : first + BATCH]
        structures, wanted = (
            torch.stack([getattr(pair, which).image for pair in part])
            for which in ("structure", "appearance")
        )
        edges, textures = judge.edges(structures), judge.features(wanted)
        for name, images in runs(Bench.of(demo, part, steps), quick).items():
            found = values.setdefault(name, {"texture distance": [], "edges": []})
            found["texture distance"] += gram_distance(judge.features(images), textures).tolist()
            found["edges"] += edge_agreement(judge.edges(images), edges).tolist()
        print(f"{first + len(part)} pairs", flush=True)
    return values


@torch.inference_mode()
def main() -> None:
    parser = record.parser(
        __doc__, "one set and one pair, some of the ways, a narrow judge with random weights"
    )
    cache = Path.home() / ".cache" / "attention-control" / "demo_model"
    parser.add_argument("--cache", type=Path, default=cache, help="where drawings and the judge are kept")
    parser.add_argument("--pairs", type=int, default=50, help="of pictures, for appearance transfer")
    measure(parser.parse_args())


def measure(options: argparse.Namespace) -> None:
    demo, sprites = LoadDemoModel.execute().args, Sprites.load(options.cache)
    quick: bool = options.quick
    judge = Photographs(NARROW) if quick else Photographs.load(options.cache)
    number, couples, steps = (1, 1, 2) if quick else (24, options.pairs, 20)
    figures = {
        "style": told(styles(demo, judge, number, steps, QUICK_VARIANTS if quick else VARIANTS)),
        "appearance": told(appearances(demo, judge, sprites, couples, max(steps, 4), quick)),
        "pairs": couples,
        "steps": steps,
    }
    written = record.write("independent", figures, options)
    print(tables_of_quality.independent(json.loads(written.read_text())))
    print(f"written: {written.name}")


if __name__ == "__main__":
    main()
