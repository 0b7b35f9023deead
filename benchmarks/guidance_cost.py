"""What a gradient of guidance costs: time and peak memory on a random SD1.5 of full size.

Each is compared with the naive way: the whole U-Net, both halves of classifier-free guidance, every
activation kept, on weights made ready before. On a CPU the process's own time is counted. Memory is the peak
of the tensors alive between operations, beyond the model. For SDXL both are predicted: operations and saved
bytes of every layer are counted on a U-Net without data, and the same count for SD1.5 stands beside what was
measured.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from measure.setting import host

host.start()

import comfy.sample  # noqa: E402  the host is found only now
import comfy.samplers  # noqa: E402
import torch  # noqa: E402
from attention_control.attention_patches.contract.attention_part import AttentionPart  # noqa: E402
from attention_control.attention_patches.contract.batch import Batch  # noqa: E402
from attention_control.attention_patches.contract.denoiser import Denoiser  # noqa: E402
from attention_control.attention_patches.contract.method import Method, Part  # noqa: E402
from attention_control.attention_patches.contract.objective import Objective  # noqa: E402
from attention_control.attention_patches.layout.regions import Layout, Subject  # noqa: E402
from attention_control.attention_patches.layout.shifting import Progress  # noqa: E402
from attention_control.attention_patches.methods import layout_guidance  # noqa: E402
from attention_control.attention_patches.methods.bounded_attention import guidance  # noqa: E402
from attention_control.attention_patches.methods.bounded_attention.bounds import Bounds, Outlines  # noqa: E402
from attention_control.nodes.host.families import family_of  # noqa: E402
from attention_control.nodes.host.run.install import install  # noqa: E402
from measure.cost.layer_costs import predicted  # noqa: E402
from measure.cost.naive_gradient import make_ready, naive  # noqa: E402
from measure.pages import record  # noqa: E402
from measure.setting.models import demo, noise, random_sd15  # noqa: E402
from measure.setting.peak_bytes import PeakBytes  # noqa: E402

SUBJECTS = (
    Subject("left", (2, 3), ((0.05, 0.2, 0.45, 0.8),)),
    Subject("right", (6, 7), ((0.55, 0.2, 0.95, 0.8),)),
)
LAYOUT = Layout((SUBJECTS,), fillers=(1, 4), ends=(8,))


@dataclass(frozen=True)
class Way:
    """A guidance: what it measures, and the part that sees the attention meanwhile."""

    objective: Objective
    part: AttentionPart | None


def ways(model: Any, latent: tuple[int, int]) -> dict[str, Way]:
    family = family_of(model)
    authors = family.presets(latent)
    words, both = (authors[name].layers for name in (layout_guidance.LAYOUT_PRESET, guidance.GUIDANCE_PRESET))
    everywhere = family.layer_map().parse("all")
    outlines, progress = Outlines(LAYOUT), Progress(LAYOUT, lambda line: None)
    return {
        "Layout Guidance": Way(
            layout_guidance.Misplacement(cross_layers=words, layout=LAYOUT, progress=progress), None
        ),
        "Bounded Attention": Way(
            guidance.Spill(cross_layers=both, self_layers=both, layout=LAYOUT),
            Bounds(layers=everywhere, outlines=outlines, guiding=True),
        ),
    }


@dataclass(frozen=True, kw_only=True)
class Ask(Method):
    """Takes a gradient at the first call, with `watch` round it, and does not call the model."""

    label: ClassVar[str] = "Ask"
    way: Way
    watch: Callable[[Callable[[], Any]], Any]
    found: list[Any] = field(default_factory=list)

    def begin(self, batch: Batch) -> Sequence[Part]:
        return [Asking(self)]


@dataclass(frozen=True)
class Asking:
    """`Ask` at work."""

    spec: Ask

    def denoise(self, latents: torch.Tensor, model: Denoiser) -> torch.Tensor:
        way, found = self.spec.way, self.spec.found
        if not found:
            found.append(self.spec.watch(lambda: model.slope(latents, way.part, way.objective)))
        return latents


def timed(gradient: Callable[[], Any]) -> float:
    comfy.model_management.synchronize()
    start = record.clock()
    gradient()
    comfy.model_management.synchronize()
    return record.clock() - start


def weighed(gradient: Callable[[], Any]) -> float:
    with PeakBytes() as memory:
        gradient()
    return memory.peak / 2**20


def ours(model: Any, prompts: Any, latent: tuple[int, int], way: Way, watch: Any) -> float:
    ask = Ask(way=way, watch=watch)
    start = noise(model, *latent, seed=1)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", 1)
    with torch.inference_mode():
        comfy.sample.sample_custom(
            install(model, ask),
            start,
            7.5,
            comfy.samplers.sampler_object("euler"),
            sigmas,
            *prompts,
            torch.zeros_like(start),
            disable_pbar=True,
        )
    value: float = ask.found[0]
    return value


def measure(model: Any, prompts: Any, latent: tuple[int, int], rounds: int) -> dict[str, Any]:
    """Ours on the host's weights, then the naive way; the median of the rounds."""
    figures: dict[str, Any] = {}
    chosen = ways(model, latent)
    for name, way in chosen.items():
        if rounds > 1:
            ours(model, prompts, latent, way, timed)  # warm
        times = [ours(model, prompts, latent, way, timed) for _ in range(rounds)]
        memory = ours(model, prompts, latent, way, weighed)
        figures[name] = {"seconds": statistics.median(times), "megabytes": memory}
    make_ready(model)
    for name, way in chosen.items():
        times = [timed(lambda way=way: naive(model, prompts, latent, way.objective)) for _ in range(rounds)]
        memory = weighed(lambda way=way: naive(model, prompts, latent, way.objective))
        figures[name] |= {"naive seconds": statistics.median(times), "naive megabytes": memory}
    for figure in figures.values():
        figure["time ratio"] = figure["seconds"] / figure["naive seconds"]
        figure["memory ratio"] = figure["megabytes"] / figure["naive megabytes"]
    return figures


def show(measured: dict[str, Any], foreseen: dict[str, Any]) -> None:
    """Print what was found."""
    print(
        record.table(
            ["gradient", "s", "naive s", "ratio", "MB", "naive MB", "ratio"],
            [
                [
                    name,
                    *(f"{figure[key]:.2f}" for key in ("seconds", "naive seconds", "time ratio")),
                    *(f"{figure[key]:.0f}" for key in ("megabytes", "naive megabytes")),
                    f"{figure['memory ratio']:.2f}",
                ]
                for name, figure in measured.items()
            ],
        )
    )
    for name, figure in foreseen.items():
        print(
            f"\npredicted for {name}: {figure['time ratio']:.2f} of the time, "
            f"{figure['memory ratio']:.2f} of the memory ({figure['megabytes']:.0f} of "
            f"{figure['naive megabytes']:.0f} MB)\n  {figure['arithmetic']}"
        )


def main() -> None:
    options = record.parser(__doc__ or "", "the demo model, small").parse_args()
    if options.quick:
        model, prompts = demo(rows=1)
        latent, rounds = (8, 8), 1
    else:
        model, prompts = random_sd15()
        latent, rounds = (64, 64), 3
    comfy.model_management.load_models_gpu([model])
    measured = measure(model, prompts, latent, rounds)
    foreseen = predicted()
    show(measured, foreseen)
    figures = {"latent": latent, "rounds": rounds, "measured": measured, "predicted": foreseen}
    print(f"written: {record.write('guidance_cost', figures, options).name}")


if __name__ == "__main__":
    main()
