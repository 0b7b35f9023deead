"""Does a panorama have seams, and what do its windows cost? Demo model, windows of 128 pixels.

Seams: the horizontal step of brightness from pixel to pixel across the edges of windows, over that at all
other columns; the plain run of the whole picture at the same columns stands beside it, as the autoencoder's
cells of 8 pixels show as well. Styles: the most frequent style of a panorama's crops as the judge sees
them, as a part of all crops (no style is asked for). Seconds: a run over as many windows as it has times one
window of a plain batch as large as a call, in turn in one process, median of the rounds. Memory: peak of
tensors, weights not counted.
"""

import statistics
import time
from collections import Counter
from typing import Any

import host

host.start()

import comfy.sample  # noqa: E402  the host is found only now
import record  # noqa: E402
import torch  # noqa: E402
from attention_control.attention_patches.methods.multidiffusion.method import MultiDiffusion  # noqa: E402
from attention_control.attention_patches.methods.multidiffusion.windows import Windows  # noqa: E402
from attention_control.demo_model.judge import Judge  # noqa: E402
from attention_control.nodes.demo.load_demo_model_node import LoadDemoModel  # noqa: E402
from attention_control.nodes.host.run.install import install  # noqa: E402
from attention_control.nodes.host.text.prompt_batch import encode_rows  # noqa: E402
from models import empty_latents  # noqa: E402
from panorama_pictures import sheet  # noqa: E402
from peak_bytes import PeakBytes  # noqa: E402
from torch import Tensor  # noqa: E402

WINDOW, CELL = 16, 8  # cells of a window's side, pixels of a cell's
PROMPTS = ("trees in the snow", "a cat in a forest", "houses on the street", "boats on the beach")
WAYS: dict[str, dict[str, Any] | None] = {
    "the whole picture at once": None,
    "stride 1, no overlap": {"stride": 16},
    "stride 1/2": {"stride": 8},
    "stride 1/2, gaussian": {"stride": 8, "weighting": "gaussian"},
    "stride 1/4": {"stride": 4},
    "stride 1/8 (paper)": {"stride": 2},
}


def patched(model: Any, settings: dict[str, Any] | None) -> Any:
    """The model with windows of the settings."""
    if settings is None:
        return model
    return install(model, MultiDiffusion(window=(WINDOW, WINDOW), **settings))


def sampled(demo: Any, model: Any, prompts: list[str], width: int, steps: int, seed: int = 0) -> Tensor:
    """Latents (prompts, channels, 16, width)."""
    clip = demo[1]
    latent = empty_latents(model, len(prompts), WINDOW, width)
    noise = comfy.sample.prepare_noise(latent, seed)
    conds = encode_rows(clip, prompts), encode_rows(clip, [""])
    samples: Tensor = comfy.sample.sample(
        model, noise, steps, 3.0, "euler", "normal", *conds, latent, disable_pbar=True, seed=seed
    )
    return samples


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
    width, steps, seeds = (32, 2, 1) if quick else (64, 20, 1)
    made = {
        name: torch.cat(
            [
                vae.decode(sampled(demo, patched(model, how), list(PROMPTS), width, steps, seed))
                for seed in range(seeds)
            ]
        )
        for name, how in WAYS.items()
    }
    plain = made["the whole picture at once"]
    figures = {}
    for name, how in WAYS.items():
        stride = 2 if how is None else how["stride"]
        figures[name] = {
            "seams": seams(made[name], stride),
            "plain run there": seams(plain, stride),
            "one style": one_style(judge, made[name]),
        }
        print(name, figures[name], flush=True)
    return figures, {name: pictures[: len(PROMPTS)] for name, pictures in made.items()}


def cost(demo: Any, quick: bool) -> list[dict[str, float]]:
    """Seconds and memory by the size of a call and the width of the picture."""
    model = demo[0]
    steps, rounds = (1, 1) if quick else (8, 5)
    found = []
    for per_call, width in ((4, 64), (4, 128), (1, 64)):
        windows = len(Windows((WINDOW, width), (WINDOW, WINDOW), 8).cells)
        wide = patched(model, {"stride": 8, "per_call": per_call})
        ratios = []
        for round_ in range(rounds + 1):
            seconds = [_seconds(demo, model, per_call, WINDOW, steps), _seconds(demo, wide, 1, width, steps)]
            if round_:  # the first warms up
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
    started = time.perf_counter()
    sampled(demo, model, ["a cat"] * images, width, steps)
    return time.perf_counter() - started


def main() -> None:
    options = record.parser(__doc__, "256 pixels, two steps, one round").parse_args()
    with torch.inference_mode():
        demo = LoadDemoModel.execute().args
        figures, chosen = quality(demo, Judge.load(), options.quick)
        costs = cost(demo, options.quick)
    rows = [
        [name, f"{own['seams']:.2f}", f"{own['plain run there']:.2f}", f"{own['one style']:.0%}"]
        for name, own in figures.items()
    ]
    print(record.table(["", *next(iter(figures.values()))], rows))
    print(record.table(list(costs[0]), [[f"{value:.4g}" for value in own.values()] for own in costs]))
    path = record.write("panorama", {"ways": figures, "cost": costs}, options)
    sheet(chosen).save(path.with_suffix(".jpg"), quality=90)
    print(f"written: {path.name} and a picture beside it")


if __name__ == "__main__":
    main()
