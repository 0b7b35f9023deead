"""Is every subject in its box, and itself? Two to five subjects, with a box for each.

Eleven groups of prompts: one species in as many colours, different species, and one species in two colours
with counts (three orange cats and two gray cats), each with 2, 3, 4 and 5 subjects. Boxes lie as the subjects
of the demo model's own scenes do. The judge says what is in each box: see `measure/layout/score`. All ways
start from the same noise. Times are of the processor, so that other work on the machine does not count.

The demo model is neither SD1.5 nor SDXL, so the lengths of the shifts were chosen for it, in small trials on
other prompts: see STRENGTH and SCALE in `measure/layout/ways`.
"""

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
from attention_control.nodes.demo.load_demo_model_node import LoadDemoModel  # noqa: E402
from measure.layout.prompts import Ask, asks  # noqa: E402
from measure.layout.score import score  # noqa: E402
from measure.layout.ways import SCALE, STRENGTH, WAYS, batches, pictures, starting_noise  # noqa: E402
from measure.pages import record  # noqa: E402

STEPS = 20
RIGHT = "subject and colour in box"
ONE_BY_ONE = {"host: areas"}
QUICK_WAYS = ("plain", "host: areas", "host: masks", "bounds alone")  # `layout_pictures` and its like guide
Figures = dict[str, dict[str, float]]


def run(demo: Any, name: str, asked: Sequence[Ask], seed: int, steps: int) -> tuple[torch.Tensor, float]:
    """The pictures of a group and the seconds of processor time for each."""
    began = time.process_time()
    noise = starting_noise(demo, len(asked), seed)
    alone = [[number] for number in range(len(asked))]
    images: dict[int, torch.Tensor] = {}
    for rows in alone if name in ONE_BY_ONE else batches(demo[1], asked):
        made = pictures(demo, WAYS[name], [asked[n] for n in rows], noise[rows], seed, steps)
        images.update(zip(rows, made, strict=True))
    in_order = torch.stack([images[number] for number in range(len(asked))])
    return in_order, (time.process_time() - began) / len(asked)


@cache
def loaded() -> tuple[Any, Judge]:
    """The demo model (MODEL, CLIP, VAE) and its judge, once in a process."""
    return LoadDemoModel.execute().args, Judge.load()


@torch.inference_mode()
def measure(number: int, each: int, steps: int, ways: Sequence[str]) -> Figures:
    """The figures of one group by way."""
    demo, judge = loaded()
    asked = list(asks(each))[number]
    found: Figures = {}
    for name in ways:
        images, seconds = run(demo, name, asked, 100 * number, steps)
        values = {**score(asked, judge(images)), "CPU seconds": [seconds]}
        found[name] = {kind: float(np.mean(own)) for kind, own in values.items()}
    print(asked[0].group, {name: f"{own[RIGHT]:.0%}" for name, own in found.items()}, flush=True)
    return found


def mean(groups: Sequence[Figures]) -> Figures:
    """Over groups, all of which count the same."""
    return {
        name: {kind: float(np.mean([group[name][kind] for group in groups])) for kind in own}
        for name, own in groups[0].items()
    }


def kept(settings: dict[str, Any], path: Path) -> dict[str, Figures]:
    """The groups of an earlier run that was made in the same way."""
    if not path.is_file():
        return {}
    earlier = json.loads(path.read_text())
    same = json.loads(json.dumps(settings)).items() <= earlier.items()
    return earlier["groups"] if same else {}


def in_turn(
    numbers: Sequence[int], each: int, steps: int, ways: Sequence[str], jobs: int
) -> Iterator[Figures]:
    """The groups' figures, `jobs` groups at a time; a single job needs no further process."""
    rest = repeat(each), repeat(steps), repeat(ways)
    if jobs == 1:
        torch.set_num_threads(1)
        yield from map(measure, numbers, *rest)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), torch.set_num_threads, initargs=(1,)) as pool:
        yield from pool.map(measure, numbers, *rest)


def main() -> None:
    parser = record.parser(__doc__, "one prompt of the first two groups, some of the ways, one step")
    parser.add_argument("--each", type=int, default=4, help="prompts in each of the 11 groups")
    parser.add_argument("--jobs", type=int, default=2, help="groups at a time, each on one thread")
    names = [asked[0].group for asked in asks(1)]
    parser.add_argument("--only", choices=names, nargs="*", help="run these groups, keep the others' figures")
    options = parser.parse_args()
    each, steps = (1, 1) if options.quick else (options.each, STEPS)
    ways = QUICK_WAYS if options.quick else tuple(WAYS)
    chosen = options.only or names[: 2 if options.quick else None]
    settings = {"weights": record.weights(), "prompts in a group": each, "steps": steps}
    settings |= {"strength": STRENGTH, "scale": SCALE}
    fresh: dict[str, Figures] = {}
    found = in_turn([names.index(name) for name in chosen], each, steps, ways, options.jobs)
    for name, figures in zip(chosen, found, strict=True):
        fresh[name] = figures
        old = kept(settings, options.output / "layout.json") if options.only else {}
        together = {**old, **fresh}
        groups = {name: together[name] for name in names if name in together}
        every = mean(list(groups.values()))
        path = record.write("layout", {**settings, "all": every, "groups": groups}, options)
    rows = [[name, *(f"{value:.2f}" for value in own.values())] for name, own in every.items()]
    print(record.table(["", *every["plain"]], rows))
    print(f"written: {path.name}")


if __name__ == "__main__":
    main()
