"""Pictures of edits: each way on the first source of each kind, and the sweep of a swap's two ends.

Writes editing.jpg and editing_sweep.jpg; in the sweep `cross_until` rises to the right and `self_until`
downwards, with the source on the left. Nothing is picked: the first sources of the benchmark.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from measure.setting import host

host.start()

import torch  # noqa: E402
from editing import STEPS, loaded  # noqa: E402
from measure.editing.cases import KINDS, SWAP_SUBJECT, Case  # noqa: E402
from measure.editing.runs import Bench  # noqa: E402
from measure.editing.sources import Source, generated, rendered  # noqa: E402
from measure.editing.ways import OF_RENDERED, OF_SAMPLED, Way  # noqa: E402
from measure.pages import record  # noqa: E402  the host is found only now
from measure.style.sets import sheet  # noqa: E402
from torch import Tensor  # noqa: E402

ENDS = (0.0, 0.25, 0.5, 0.75, 1.0)


def column(demo: Any, case: Case, start: Source, steps: int, ways: dict[str, Way]) -> list[Tensor]:
    """A source and its first edit by each way; white where a way is not for it."""
    bench = Bench(demo, case, start, steps)
    made = [way(bench) for way in ways.values()]
    return [start.image, *(torch.ones_like(start.image) if images is None else images[0] for images in made)]


def ways(given: tuple[Any, ...], steps: int, number: int) -> dict[str, Tensor]:
    """A row for each way, a column for each of so many kinds."""
    demo, judge, sprites, find, _ = given
    columns = []
    for kind in KINDS[:number]:
        ((case, source),) = generated(demo, judge, find, kind, 0, 1, steps)
        case = replace(case, wanted=case.wanted[:1])
        print(kind.name, case.prompt, "->", case.edits[0], flush=True)
        scene = rendered(demo, case, sprites)
        sampled = column(demo, case, source, steps, OF_SAMPLED)
        columns.append([*sampled, *column(demo, case, scene, steps, OF_RENDERED)])
    names = ("source", *OF_SAMPLED, "scene", *OF_RENDERED)
    return {name: torch.stack(row) for name, *row in zip(names, *columns, strict=True)}


def sweep(given: tuple[Any, ...], steps: int, ends: tuple[float, ...]) -> dict[str, Tensor]:
    """A row for each end of self-attention, a column for each of cross-attention, behind the source."""
    demo, judge, _, find, _ = given
    ((case, source),) = generated(demo, judge, find, SWAP_SUBJECT, 0, 1, steps)
    bench = Bench(demo, replace(case, wanted=case.wanted[:1]), source, steps)
    return {
        f"self_until {held:g}": torch.stack(
            [
                source.image,
                *(bench.prompt_to_prompt(cross_until=end, self_until=held)[0] for end in ends),
            ]
        )
        for held in ends
    }


def main() -> None:
    parser = record.parser(__doc__, "one kind, eight steps, two ends")
    cache = Path.home() / ".cache" / "attention-control" / "demo_model"
    parser.add_argument("--cache", type=Path, default=cache, help="where drawings are kept (made by npm)")
    options = parser.parse_args()
    steps, number, ends = (8, 1, ENDS[::4]) if options.quick else (STEPS, len(KINDS), ENDS)
    with torch.inference_mode():
        given = loaded(options.cache, options.quick)
        sheets = {"editing": ways(given, steps, number), "editing_sweep": sweep(given, steps, ends)}
    options.output.mkdir(parents=True, exist_ok=True)
    for name, rows in sheets.items():
        path = options.output / f"{name}{'.quick' if options.quick else ''}.jpg"
        sheet(rows).save(path, quality=92)
        print(f"written: {path.name}")


if __name__ == "__main__":
    main()
