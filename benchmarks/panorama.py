"""Does a panorama have seams, and what do its windows cost? Demo model, windows of 128 pixels.

Seams: the horizontal step of brightness from pixel to pixel across the edges of windows, over that at all
other columns; the plain run of the whole picture at the same columns stands beside it, as the autoencoder's
cells of 8 pixels show as well. Styles: the most frequent style of a panorama's crops as the judge sees
them, as a part of all crops (no style is asked for). Seconds: a run over as many windows as it has times one
window of a plain batch as large as a call, in turn in one process, median of the rounds; on a CPU the
process's own time. Memory: peak of tensors, weights not counted. Two styles: see `panorama_styles.py`.
"""

import statistics
from collections import Counter
from typing import Any

import host

host.start()

import record  # noqa: E402  the host is found only now
import torch  # noqa: E402
from attention_control.attention_patches.methods.multidiffusion.windows import Windows  # noqa: E402
from attention_control.demo_model.judge import Judge  # noqa: E402
from attention_control.nodes.demo.load_demo_model_node import LoadDemoModel  # noqa: E402
from panorama_pictures import sheet  # noqa: E402
from panorama_runs import CELL, WINDOW, patched, sampled  # noqa: E402
from panorama_styles import styles_of_batches, styles_of_sides  # noqa: E402
from peak_bytes import PeakBytes  # noqa: E402
from torch import Tensor  # noqa: E402

PROMPTS = ("trees in the snow", "a cat in a forest", "houses on the street", "boats on the beach")
WAYS: dict[str, dict[str, Any] | None] = {
    "the whole picture at once": None,
    "stride 1, no overlap": {"stride": 16},
    "stride 1/2": {"stride": 8},
    "stride 1/2, gaussian": {"stride": 8, "weighting": "gaussian"},
    "stride 1/4": {"stride": 4},
    "stride 1/8 (paper)": {"stride": 2},
}
QUICK_WAYS = ("the whole picture at once", "stride 1/2, gaussian", "stride 1/8 (paper)")


def steps_of_brightness(pictures: Tensor) -> Tensor:
    """(columns - 1,) the mean step from each column to the next, of (B, H, W, 3)."""
    return pictures.mean(-1).diff(dim=2).abs().mean((0, 1))


def seams(pictures: Tensor, stride: int) -> float:
    """The step across edges of windows over that elsewhere."""
    width = pictures.shape[2] // CELL
    edges = set()
    for cells in Windows((WINDOW, width), (WINDOW, WINDOW), stride).cells:
        edges |= {cells.left, cells.left + cells.width}
    steps = steps_of_brightness(pictures)
    across = torch.zeros(len(steps), dtype=torch.bool)
    across[[edge * CELL - 1 for edge in edges if 0 < edge < width]] = True
    return float(steps[across].mean() / steps[~across].mean())


def one_style(judge: Judge, pictures: Tensor) -> float:
    """The share of a panorama's crops in its most frequent style, mean over panoramas."""
    side = WINDOW * CELL
    shares = []
    for picture in pictures:
        crops = torch.stack(list(picture.split(side, dim=1)))
        styles = Counter(verdict.style for verdict in judge(crops))
        shares.append(max(styles.values()) / len(crops))
    return statistics.mean(shares)


def quality(demo: Any, judge: Judge, quick: bool) -> tuple[dict[str, dict[str, float]], dict[str, Tensor]]:
    """Figures of each way, and its pictures of the first seed."""
    model, _, vae = demo
    width, steps, prompts = (32, 1, PROMPTS[:1]) if quick else (64, 20, PROMPTS)
    ways = {name: WAYS[name] for name in (QUICK_WAYS if quick else WAYS)}
    made = {
        name: vae.decode(sampled(demo, patched(model, how), list(prompts), width, steps))
        for name, how in ways.items()
    }
    plain = made["the whole picture at once"]
    figures = {}
    for name, how in ways.items():
        stride = 2 if how is None else how["stride"]
        figures[name] = {
            "seams": seams(made[name], stride),
            "plain run there": seams(plain, stride),
            "one style": one_style(judge, made[name]),
        }
        print(name, figures[name], flush=True)
    return figures, made


def cost(demo: Any, quick: bool) -> list[dict[str, float]]:
    """Seconds and memory by the size of a call and the width of the picture."""
    model = demo[0]
    steps, rounds = (1, 0) if quick else (8, 5)
    found = []
    for per_call, width in ((2, 32),) if quick else ((4, 64), (4, 128), (1, 64)):
        windows = len(Windows((WINDOW, width), (WINDOW, WINDOW), 8).cells)
        wide = patched(model, {"stride": 8, "per_call": per_call})
        ratios = []
        for round_ in range(rounds + 1):
            seconds = [_seconds(demo, model, per_call, WINDOW, steps), _seconds(demo, wide, 1, width, steps)]
            if round_ or not rounds:  # the first warms up
                ratios.append(seconds[1] / (seconds[0] / per_call * windows))
        peaks = []
        for one, images, side in ((model, per_call, WINDOW), (wide, 1, width)):
            with PeakBytes() as counter:
                sampled(demo, one, ["a cat"] * images, side, 1)
            peaks.append(counter.peak)
        found.append(
            {
                "windows in a call": per_call,
                "pixels": width * CELL,
                "windows": windows,
                "time over the floor": statistics.median(ratios),
                "megabytes": peaks[1] / 2**20,
                "megabytes of a plain batch": peaks[0] / 2**20,
            }
        )
        print(found[-1], flush=True)
    return found


def _seconds(demo: Any, model: Any, images: int, width: int, steps: int) -> float:
    started = record.clock()
    sampled(demo, model, ["a cat"] * images, width, steps)
    return record.clock() - started


def main() -> None:
    options = record.parser(__doc__, "256 pixels, some of the ways, one step, one round").parse_args()
    with torch.inference_mode():
        demo = LoadDemoModel.execute().args
        judge = Judge.load()
        figures, chosen = quality(demo, judge, options.quick)
        costs = cost(demo, options.quick)
        shared = styles_of_batches(demo, judge, options.quick)
        styled = styles_of_sides(demo, judge, options.quick)
    rows = [
        [name, f"{own['seams']:.2f}", f"{own['plain run there']:.2f}", f"{own['one style']:.0%}"]
        for name, own in figures.items()
    ]
    print(record.table(["", *next(iter(figures.values()))], rows))
    print(record.table(list(costs[0]), [[f"{value:.4g}" for value in own.values()] for own in costs]))
    for found in (shared, styled):
        lines = [[name, *(f"{share:.0%}" for share in own.values())] for name, own in found.items()]
        print(record.table(["", *next(iter(found.values()))], lines))
    told = {"ways": figures, "cost": costs, "one style": shared, "two styles": styled}
    path = record.write("panorama", told, options)
    sheet(chosen).save(path.with_suffix(".jpg"), quality=90)
    print(f"written: {path.name} and a picture beside it")


if __name__ == "__main__":
    main()
