"""Do edits change what they are to, and nothing else? 60 edits each of six kinds.

Swap a subject, swap a colour, add a colour word, change the style, change the background, and push a colour
away by a factor of -1. Sources hold one subject or two different ones, whose first one is edited. They are
sampled, and kept if the judge reads them as they were asked for, so that there is something to keep; or they
are the same scenes rendered, with known masks, and inverted in the same number of steps. Three edits of a
source share a run of PromptToPrompt. A run that was stopped goes on where it was.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from measure.setting import host

host.start()

import numpy as np  # noqa: E402  the host is found only now
import torch  # noqa: E402
from attention_control.demo_model.judge import Judge  # noqa: E402
from attention_control.demo_model.world import Sprites, render, sample_scene  # noqa: E402
from attention_control.nodes.demo.load_demo_model_node import LoadDemoModel  # noqa: E402
from measure.appearance.pairs import Shown  # noqa: E402
from measure.editing.cases import EDITS, KINDS, REWEIGHT, SEED, SIZE  # noqa: E402
from measure.editing.runs import Bench  # noqa: E402
from measure.editing.score import Measured, score  # noqa: E402
from measure.editing.sources import generated, rendered  # noqa: E402
from measure.editing.tables import Kinds, added, header, rows, summed  # noqa: E402
from measure.editing.ways import MATCHED, OF_RENDERED, OF_SAMPLED  # noqa: E402
from measure.pages import record  # noqa: E402
from measure.reading.subject_reader import SubjectReader  # noqa: E402

STEPS = 20
QUICK = 1  # kinds
QUICK_WAYS = {"plain, same seed", "P2P, blend", "PnP of a scene"}
BLOCK = 3  # edits of one kind that are made and written together


@cache
def loaded(drawings: Path, quick: bool) -> tuple[Any, Judge, Sprites, SubjectReader, float]:
    """Model, judge, drawings, what finds subjects and its mean IoU with true masks; once in a process."""
    demo, judge, sprites = LoadDemoModel.execute().args, Judge.load(), Sprites.load(drawings)
    held = 2 if quick else 20
    draws = [np.random.default_rng([98, i]) for i in range(6 if quick else 140)]
    scenes = [with_masks(sprites, draw, 1 + i % 2) for i, draw in enumerate(draws)]
    find = SubjectReader.fit(judge, demo[2], scenes[:-held])
    return demo, judge, sprites, find, find.trust(demo[2], scenes[-held:])


def with_masks(sprites: Sprites, draw: np.random.Generator, subjects: int) -> Shown:
    """A rendered scene and where its subjects are."""
    picture = render(sample_scene(draw, SIZE, SIZE, subjects), sprites)
    image, masks = torch.from_numpy(picture.image).float() / 255, torch.from_numpy(picture.masks > 0.5)
    return Shown(image, masks.any(0), picture.scene)


@torch.inference_mode()
def measure(
    unit: tuple[int, int], edits: int, steps: int, drawings: Path, quick: bool, until: float
) -> tuple[float, Kinds] | None:
    """How well subjects are found, and the figures of one block of one kind's edits; None after `until`."""
    if time.time() > until:
        return None
    kind, block = KINDS[unit[0]], unit[1]
    demo, judge, sprites, find, trust = loaded(drawings, quick)
    first, number = 1000 * block + block % 2, edits if kind is REWEIGHT else -(-edits // EDITS)
    values: dict[str, Measured] = {}
    for case, source in generated(demo, judge, find, kind, first, number, steps, not quick):
        case = case.with_edits(1) if quick else case
        scene = rendered(demo, case, sprites)
        for start, ways in ((source, OF_SAMPLED), (scene, OF_RENDERED)):
            for name in ways.keys() & QUICK_WAYS if quick else ways:
                way = ways[name]
                images = way(Bench(demo, case, start, steps))
                if images is not None:
                    for measured, found in score(find, case, start, images).items():
                        values.setdefault(name, {}).setdefault(measured, []).extend(found)
    return trust, {kind.name: {name: summed(own) for name, own in values.items()}}


def in_turn(
    units: Sequence[tuple[int, int]], given: tuple[Any, ...], jobs: int
) -> Iterator[tuple[float, Kinds] | None]:
    """The units' figures, `jobs` units at a time; a single job needs no further process."""
    rest = [repeat(value) for value in given]
    if jobs == 1:
        torch.set_num_threads(1)
        yield from map(measure, units, *rest)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), torch.set_num_threads, initargs=(1,)) as pool:
        yield from pool.map(measure, units, *rest)


def main() -> None:
    parser = record.parser(__doc__, "one edit of one source, some of the ways, four steps")
    parser.add_argument("--edits", type=int, default=60, help=f"of each kind, rounded up to {BLOCK}s")
    parser.add_argument("--jobs", type=int, default=2, help="blocks at a time, each on one thread")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no block after so many")
    cache = Path.home() / ".cache" / "attention-control" / "demo_model"
    parser.add_argument("--cache", type=Path, default=cache, help="where drawings are kept (made by npm)")
    options = parser.parse_args()
    run(options)


def run(options: argparse.Namespace) -> None:
    """The figures are written after every block."""
    edits, steps, kinds_run = (1, 4, QUICK) if options.quick else (BLOCK, STEPS, len(KINDS))
    blocks = 1 if options.quick else -(-options.edits // BLOCK)
    settings = {"weights": record.weights(), "edits in a block": edits, "steps": steps, "seed": SEED}
    done, kinds = earlier(settings, options)
    units = [(k, b) for b in range(blocks) for k in range(kinds_run) if [k, b] not in done]
    given = (edits, steps, options.cache, options.quick, time.time() + 60 * options.minutes)
    for unit, found in zip(units, in_turn(units, given, options.jobs), strict=True):
        if found is None:
            continue
        done, kinds = [*done, list(unit)], added(kinds, found[1])
        told = {"img2img from": MATCHED, "subject reader IoU": found[0]}
        figures = {**settings, **told, "blocks": done, "kinds": kinds}
        path = record.write("editing", figures, options)
        print(KINDS[unit[0]].name, "block", unit[1], flush=True)
    print(record.table(header(kinds), rows(kinds)))
    print(f"written: {path.name}")


def earlier(settings: dict[str, Any], options: argparse.Namespace) -> tuple[list[list[int]], Kinds]:
    """The blocks and figures of a run that was stopped, if it was one in the same way."""
    path = options.output / "editing.json"
    if options.quick or not path.is_file():
        return [], {}
    figures = json.loads(path.read_text())
    return (figures["blocks"], figures["kinds"]) if settings.items() <= figures.items() else ([], {})


if __name__ == "__main__":
    main()
