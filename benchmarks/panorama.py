"""Does a panorama have seams, and one style? Demo model, windows of 128 pixels.

Seams: the horizontal step of brightness from pixel to pixel across the edges of windows, over that at all
other columns; the plain run of the whole picture at the same columns stands beside it, as the autoencoder's
cells of 8 pixels show as well. Styles: the most frequent style of a panorama's crops as the judge sees
them, as a part of all crops (no style is asked for). Batches in one style, and two styles in one panorama:
see `panorama_styles.py`. What windows cost: see `panorama_cost.py`.
"""

import statistics
from collections import Counter
from typing import Any

from measure.setting import host

host.start()

import torch  # noqa: E402
from attention_control.attention_patches.methods.multidiffusion.windows import Windows  # noqa: E402
from attention_control.demo_model.judge import Judge  # noqa: E402
from attention_control.nodes.demo.load_demo_model_node import LoadDemoModel  # noqa: E402
from measure.pages import record  # noqa: E402  the host is found only now
from measure.panorama.pictures import sheet  # noqa: E402
from measure.panorama.runs import CELL, WINDOW, patched, sampled  # noqa: E402
from measure.panorama.styles import BATCH, NAMED, NOISES, PAIRS, styles_of_batches, styles_of_sides  # noqa: E402
from torch import Tensor  # noqa: E402

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
    width, steps, prompts = (32, 1, BATCH[:1]) if quick else (64, 20, BATCH)
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


def main() -> None:
    options = record.parser(__doc__, "256 pixels, some of the ways, one step, one round").parse_args()
    with torch.inference_mode():
        demo = LoadDemoModel.execute().args
        judge = Judge.load()
        figures, chosen = quality(demo, judge, options.quick)
        shared = styles_of_batches(demo, judge, options.quick)
        styled = styles_of_sides(demo, judge, options.quick)
    rows = [
        [name, f"{own['seams']:.2f}", f"{own['plain run there']:.2f}", f"{own['one style']:.0%}"]
        for name, own in figures.items()
    ]
    print(record.table(["", *next(iter(figures.values()))], rows))
    for found in (shared, styled):
        lines = [[name, *(f"{share:.0%}" for share in own.values())] for name, own in found.items()]
        print(record.table(["", *next(iter(found.values()))], lines))
    told = {
        "noises": NOISES,
        "pairs": len(PAIRS),
        "styles named": len(NAMED),
        "ways": figures,
        "one style": shared,
        "two styles": styled,
    }
    path = record.write("panorama", told, options)
    sheet(chosen).save(path.with_suffix(".jpg"), quality=90)
    print(f"written: {path.name} and a picture beside it")


if __name__ == "__main__":
    main()
