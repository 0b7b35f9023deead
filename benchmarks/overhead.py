"""What a patch costs: time and peak memory of a sampling run, patched over unpatched.

All variants of a model run in one process, in turn, round after round; the ratio is taken within each round
and its median reported. On a CPU the process's own time is counted. The floor of StyleAligned is a run in
which the self-attention of every row gets its own keys and values twice, by a three-line override and without
the pack: what the host's attention asks for doubled keys. Memory is the peak of the tensors alive between
operations, counted by torch's dispatch.

Masks of Bounded Attention cost most where grids are fine. So they are also measured on the first level of
SD1.5 alone, with four images of 64 x 64 cells, each with boxes of its own.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import host

host.start()

import comfy.sample  # noqa: E402  the host is found only now
import comfy.samplers  # noqa: E402
import record  # noqa: E402
import torch  # noqa: E402
from attention_control.attention_patches.contract.attention_part import Attend, Order  # noqa: E402
from attention_control.attention_patches.contract.batch import Batch  # noqa: E402
from attention_control.attention_patches.contract.method import Method, Part  # noqa: E402
from attention_control.attention_patches.contract.qkv import QKV  # noqa: E402
from attention_control.attention_patches.contract.site import Site  # noqa: E402
from attention_control.attention_patches.layout.regions import Layout, Subject  # noqa: E402
from attention_control.attention_patches.maps.recorded import MapStore  # noqa: E402
from attention_control.attention_patches.maps.recorders.recorder import Recorder  # noqa: E402
from attention_control.attention_patches.methods.bounded_attention.method import (  # noqa: E402
    BoundedAttention,
)
from attention_control.attention_patches.methods.style_aligned.method import StyleAligned  # noqa: E402
from attention_control.nodes.host.families import family_of  # noqa: E402
from attention_control.nodes.host.run.install import install  # noqa: E402
from models import FIRST_LEVEL, demo, empty_latents, random_sd15  # noqa: E402
from peak_bytes import PeakBytes  # noqa: E402
from turns import ratio, seconds_of  # noqa: E402


class Nowhere:
    """A part that wants no site."""

    order: ClassVar[Order] = "edit"

    def wants(self, site: Site) -> bool:
        return False

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> torch.Tensor:
        return attend(qkv)


@dataclass(frozen=True, kw_only=True)
class Bystander(Method):
    """What being asked at every site costs."""

    label: ClassVar[str] = "Bystander"

    def begin(self, batch: Batch) -> Sequence[Part]:
        return [Nowhere()]


def doubled_keys(func: Callable[..., Any], q: Any, k: Any, v: Any, heads: int, **kwargs: Any) -> Any:
    """An `optimized_attention_override`: every self-attention with its own keys twice."""
    if q.shape[1] == k.shape[1]:
        k, v = torch.cat([k, k], dim=1), torch.cat([v, v], dim=1)
    return func(q, k, v, heads, **kwargs)


def bounded(model: Any, images: int) -> Any:
    """Bounded Attention with its masks alone: three subjects, in places of their own in each image."""
    shifts = [0.02 * image for image in range(images)]
    places = [
        [
            ((2, 3), (0.05 + x, 0.2, 0.4 + x, 0.8)),
            ((6, 7), (0.5 + x, 0.2, 0.9 + x, 0.8)),
            ((9,), (0.1, 0.85, 0.9, 1)),
        ]
        for x in shifts
    ]
    subjects = [tuple(Subject("", tokens, (box,)) for tokens, box in image) for image in places]
    layout = Layout(tuple(subjects), fillers=(1, 4), ends=(12,))
    layers = family_of(model).layer_map().parse("all")
    return install(model, BoundedAttention(layers=layers, layout=layout, refine_from=1.0))


def variants(model: Any, images: int) -> dict[str, Any]:
    floor = model.clone()
    floor.model_options["transformer_options"]["optimized_attention_override"] = doubled_keys
    every = family_of(model).layer_map().parse("all")
    return {
        "unpatched": model,
        "a patch that wants no site": install(model, Bystander()),
        "floor: doubled keys": floor,
        "StyleAligned": install(model, StyleAligned(layers=every)),
        "StyleAligned, shared group norm": install(model, StyleAligned(layers=every, share_group_norm=True)),
        "recorder, cross-attention": install(model, Recorder(store=MapStore(), cross_layers=every)),
        "recorder, cross- and self-attention": install(
            model, Recorder(store=MapStore(), cross_layers=every, self_layers=every)
        ),
        "Bounded Attention, masks": bounded(model, images),
    }


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


def main() -> None:
    options = record.parser(__doc__, "the demo model only, small, one round of one step").parse_args()
    quick = options.quick
    size, steps, rounds = (8, 1, 1) if quick else (16, 20, 9)
    small, prompts = demo()
    runs = [measure("Pocket Diffusion", variants(small, 4), prompts, (4, size), steps, rounds)]
    if not quick:
        sd15, prompts = random_sd15()
        runs += [
            measure("random SD1.5", variants(sd15, latent[0]), prompts, latent, steps=1, rounds=3)
            for latent in ((4, 32), (1, 64))
        ]
        level, prompts = random_sd15(FIRST_LEVEL)
        made = variants(level, 4)
        only = {name: made[name] for name in ("unpatched", "Bounded Attention, masks")}
        runs.append(measure("SD1.5's first level", only, prompts, (4, 64), steps=1, rounds=3))
    for result in runs:
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
    print(f"\nwritten: {record.write('overhead', {'runs': runs}, options).name}")


if __name__ == "__main__":
    main()
