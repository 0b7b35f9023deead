"""What do windows cost? A run through windows over a plain batch as large as a call.

The floor is as many windows as the picture has times one window of a plain batch of the size of a call. Both
runs in turn in one process, the ratio within each round, median of the rounds; on a CPU the process's own
time. Memory: peak of tensors, weights not counted. On Pocket Diffusion, whose calls are so short that what
surrounds them counts, and on an SD1.5 of full size with random weights.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from measure.setting import host

host.start()

import comfy.sample  # noqa: E402  the host is found only now
import torch  # noqa: E402
from attention_control.attention_patches.methods.multidiffusion.method import MultiDiffusion  # noqa: E402
from attention_control.attention_patches.methods.multidiffusion.windows import Windows  # noqa: E402
from attention_control.nodes.host.run.install import install  # noqa: E402
from measure.pages import record  # noqa: E402
from measure.panorama.runs import CELL  # noqa: E402
from measure.setting.models import demo, empty_latents, random_sd15  # noqa: E402
from measure.setting.peak_bytes import PeakBytes  # noqa: E402
from measure.setting.turns import ratio, seconds_of  # noqa: E402


@dataclass(frozen=True)
class Case:
    """A wide picture: `window` and `width` in cells, windows half a window apart."""

    model: str
    window: int
    per_call: int
    width: int
    steps: int


CASES = (
    Case("Pocket Diffusion", 16, 4, 64, 8),
    Case("Pocket Diffusion", 16, 4, 128, 8),
    Case("Pocket Diffusion", 16, 1, 64, 8),
    Case("random SD1.5", 32, 1, 64, 1),
    Case("random SD1.5", 32, 2, 80, 1),
)
QUICK = (Case("Pocket Diffusion", 16, 2, 32, 1),)


def run(model: Any, prompts: tuple[Any, Any], images: int, height: int, width: int, steps: int) -> None:
    """A run of the host's sampler."""
    latent = empty_latents(model, images, height, width)
    noise = comfy.sample.prepare_noise(latent, 0)
    with torch.inference_mode():
        comfy.sample.sample(
            model, noise, steps, 3.0, "euler", "normal", *prompts, latent, disable_pbar=True, seed=0
        )


def measure(case: Case, model: Any, prompts: tuple[Any, Any], rounds: int) -> dict[str, Any]:
    """One line of the table; a round before the others warms up and counts memory."""
    window = (case.window, case.window)
    stride = case.window // 2
    windows = len(Windows((case.window, case.width), window, stride).cells)
    wide = install(model, MultiDiffusion(window=window, stride=stride, per_call=case.per_call))
    runs = {
        "plain": partial(run, model, prompts, case.per_call, *window),
        "wide": partial(run, wide, prompts, 1, case.window, case.width),
    }
    peaks = {}
    for name, one in runs.items():
        with PeakBytes() as counter:
            one(1)
        peaks[name] = counter.peak / 2**20
    seconds = seconds_of({name: partial(one, case.steps) for name, one in runs.items()}, rounds)
    return {
        "model": case.model,
        "pixels": [case.window * CELL, case.width * CELL],
        "windows": windows,
        "windows in a call": case.per_call,
        "time over the floor": ratio(seconds["wide"], seconds["plain"]) * case.per_call / windows,
        "megabytes": peaks["wide"],
        "megabytes of a plain batch": peaks["plain"],
    }


def measured(cases: tuple[Case, ...], rounds: int) -> Iterator[dict[str, Any]]:
    """Each model is loaded once."""
    for name, load in (("Pocket Diffusion", partial(demo, 1)), ("random SD1.5", random_sd15)):
        own = [case for case in cases if case.model == name]
        if own:
            model, prompts = load()
            for case in own:
                found = measure(case, model, prompts, rounds)
                print(found, flush=True)
                yield found


def main() -> None:
    options = record.parser(__doc__, "the demo model, 256 pixels, one step, one round").parse_args()
    rounds = 1 if options.quick else 5
    runs = list(measured(QUICK if options.quick else CASES, rounds))
    path = record.write("panorama_cost", {"rounds": rounds, "runs": runs}, options)
    print(f"written: {path.name}")


if __name__ == "__main__":
    main()
