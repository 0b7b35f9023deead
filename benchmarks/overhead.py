"""What a patch costs: time and peak memory of a sampling run, patched over unpatched.

All variants of a model run in one process, in turn, round after round; the ratio is taken within each round
and its median reported. On a CPU the process's own time is counted. The floor of StyleAligned is a run in
which the self-attention of every row gets its own keys and values twice, by a three-line override and without
the pack: what the host's attention asks for doubled keys. Memory is the peak of the tensors alive between
operations, counted by torch's dispatch.

Masks of Bounded Attention cost most where grids are fine. So they are also measured on the first level of
SD1.5 alone, with four images of 64 x 64 cells, each with boxes of its own.

Figures are written model by model; a run that was stopped goes on behind them.
"""

import json
import statistics
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from measure.setting import host

host.start()

import comfy.sample  # noqa: E402  the host is found only now
import comfy.samplers  # noqa: E402
import torch  # noqa: E402
from measure.cost.overhead_variants import variants  # noqa: E402
from measure.pages import record  # noqa: E402
from measure.setting.models import FIRST_LEVEL, demo, empty_latents, random_sd15  # noqa: E402
from measure.setting.peak_bytes import PeakBytes  # noqa: E402
from measure.setting.turns import ratio, seconds_of  # noqa: E402

UNFINISHED = "overhead.unfinished"
POCKET, SD15, LEVEL = "Pocket Diffusion", "random SD1.5", "SD1.5's first level"


def run(model: Any, prompts: tuple[Any, Any], latent: tuple[int, int], steps: int) -> None:
    """A run of the host's sampler on square latents: (how many, cells of a side)."""
    images, size = latent
    noise = comfy.sample.prepare_noise(empty_latents(model, images, size, size), 0)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", steps)
    with torch.inference_mode():
        comfy.sample.sample_custom(
            model,
            noise,
            5.0,
            comfy.samplers.sampler_object("euler"),
            sigmas,
            *prompts,
            torch.zeros_like(noise),
        )


def measure(
    name: str,
    all_variants: Mapping[str, Any],
    prompts: Any,
    latent: tuple[int, int],
    steps: int,
    rounds: int,
) -> dict[str, Any]:
    """Ratios to the unpatched run for every variant of a model; a round before them warms up and counts
    memory."""
    memory: dict[str, int] = {}
    for variant, patched in all_variants.items():
        with PeakBytes() as counter:
            run(patched, prompts, latent, 1)
        memory[variant] = counter.peak
    runs = {v: partial(run, patched, prompts, latent, steps) for v, patched in all_variants.items()}
    seconds = seconds_of(runs, rounds)
    base = seconds["unpatched"]
    return {
        "model": name,
        "latent": list(empty_latents(all_variants["unpatched"], latent[0], latent[1], latent[1]).shape),
        "steps": steps,
        "rounds": rounds,
        "seconds unpatched": statistics.median(base),
        "time": {v: ratio(times, base) for v, times in seconds.items()},
        "over the floor": over_the_floor(seconds),
        "memory": {v: peak / memory["unpatched"] for v, peak in memory.items()},
        "extra megabytes": {v: (peak - memory["unpatched"]) / 2**20 for v, peak in memory.items()},
    }


def over_the_floor(seconds: dict[str, list[float]]) -> float | None:
    """Of StyleAligned, where it was measured."""
    if "StyleAligned" not in seconds:
        return None
    return ratio(seconds["StyleAligned"], seconds["floor: doubled keys"])


def cases(quick: bool) -> list[tuple[str, tuple[int, int], Callable[[], dict[str, Any]]]]:
    """(model, latent, how it is measured), each once."""

    def pocket(latent: tuple[int, int], steps: int = 20, rounds: int = 9) -> dict[str, Any]:
        small, prompts = demo()
        return measure(POCKET, variants(small, latent[0]), prompts, latent, steps, rounds)

    def sd15(latent: tuple[int, int]) -> dict[str, Any]:
        model, prompts = random_sd15()
        return measure(SD15, variants(model, latent[0]), prompts, latent, steps=1, rounds=3)

    def level(latent: tuple[int, int]) -> dict[str, Any]:
        model, prompts = random_sd15(FIRST_LEVEL)
        made = variants(model, latent[0])
        only = {name: made[name] for name in ("unpatched", "Bounded Attention, masks")}
        return measure(LEVEL, only, prompts, latent, steps=1, rounds=3)

    if quick:
        return [(POCKET, (4, 8), partial(pocket, (4, 8), 1, 1))]
    measured = (
        (POCKET, (4, 16), pocket),
        (SD15, (4, 32), sd15),
        (SD15, (1, 64), sd15),
        (LEVEL, (4, 64), level),
    )
    return [(model, latent, partial(way, latent)) for model, latent, way in measured]


def kept(path: Path) -> list[dict[str, Any]]:
    """What a run that was stopped has measured already, of the same weights."""
    found = json.loads(path.read_text()) if path.is_file() else {}
    return found["runs"] if found.get("weights") == record.weights() else []


def show(result: dict[str, Any]) -> None:
    told = f"latent {result['latent']}, {result['steps']} steps, {record.machine_class()}"
    print(f"\n{result['model']}, {told}")
    rows = [
        [
            variant,
            f"{result['time'][variant]:.2f}x",
            f"{result['memory'][variant]:.2f}x",
            f"{result['extra megabytes'][variant]:+.0f} MB",
        ]
        for variant in result["time"]
    ]
    print(record.table(["variant", "time", "peak memory", "beyond"], rows))
    if result["over the floor"] is not None:
        print(f"StyleAligned over the floor: {result['over the floor']:.2f}x")


def main() -> None:
    options = record.parser(__doc__, "the demo model only, small, one round of one step").parse_args()
    unfinished = record.path(UNFINISHED, options)
    runs, due = kept(unfinished), cases(options.quick)
    for model, (images, size), way in due:
        if not any((r["model"], r["latent"][0], r["latent"][-1]) == (model, images, size) for r in runs):
            runs.append(way())
            record.write(UNFINISHED, {"runs": runs}, options)
            show(runs[-1])
    print(f"\nwritten: {record.write('overhead', {'runs': runs}, options).name}")
    unfinished.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
