"""What appearance transfer costs: time and peak memory of the whole graph on a random SD1.5 of full size.

A picture is inverted and shown in the appearance of another, in each way that costs differently. Time is per
step, over a step of a plain run (the structure's reconstruction) of the same round, the median over rounds;
on a CPU ratios are of the process's own time, while seconds that stand alone are those of the wall's clock.
Memory is the peak of the tensors alive between operations, beyond a plain run's. The appearance is the
mirrored structure, once made wider: what a picture shows makes no difference to the cost.
"""

import statistics
import time
from dataclasses import dataclass, replace
from typing import Any

from measure.setting import host

host.start()

import comfy.sample  # noqa: E402  the host is found only now
import comfy.samplers  # noqa: E402
import torch  # noqa: E402
from attention_control.attention_patches.inversion.inversion import Inversion  # noqa: E402
from attention_control.nodes.host.walks.invert import Conditions, invert  # noqa: E402
from attention_control.nodes.style.cross_image_attention_node import CrossImageAttention  # noqa: E402
from comfy_api.latest import io  # noqa: E402
from measure.pages import record  # noqa: E402
from measure.setting.models import demo, noise, random_sd15  # noqa: E402
from measure.setting.peak_bytes import PeakBytes  # noqa: E402
from measure.setting.turns import ratio  # noqa: E402

STEPS = 2  # of the inversions; the transfer samples the last
BEGIN = 0.6
PLAIN = "reconstruction"
NEUTRAL = {"contrast": 1.0, "swap_guidance": 1.0, "adain": "off"}
FULL = {"contrast": 1.67, "swap_guidance": 3.5, "adain": "whole"}


@dataclass(frozen=True)
class Scene:
    """Inverted pictures; `wide` is half as wide again as the others."""

    model: Any
    positive: Any
    structure: Inversion
    appearance: Inversion
    wide: Inversion

    def outputs(self, appearance: Inversion, **settings: Any) -> tuple[Any, ...]:
        node = CrossImageAttention.PREPARE_CLASS_CLONE({"hidden_inputs": {io.Hidden.unique_id: None}})
        how = {
            "refresh_structure_every": 0,
            "subject": "",
            "layers": "paper",
            "begin_percent": BEGIN,
            "start_percent": BEGIN,
            "end_percent": 1.0,
            "adain_start_percent": BEGIN,
        }
        given: tuple[Any, ...] = node.execute(
            self.model, self.structure, appearance, **{**how, **settings}
        ).args
        return given

    def variants(self) -> dict[str, tuple[Any, ...]]:
        """MODEL, SAMPLER, SIGMAS, LATENT of each; calls of the model in a step: 1, 2, 3, 3."""
        return {
            PLAIN: self.outputs(self.appearance, **NEUTRAL, end_percent=BEGIN),
            "swap alone": self.outputs(self.appearance, **NEUTRAL),
            "with guidance, contrast, AdaIN (the defaults)": self.outputs(self.appearance, **FULL),
            "the same, appearance half as wide again": self.outputs(self.wide, **FULL),
        }

    def sample(self, outputs: tuple[Any, ...]) -> torch.Tensor:
        model, sampler, sigmas, latent = outputs
        start = latent["samples"]
        with torch.inference_mode():
            out: torch.Tensor = comfy.sample.sample_custom(
                model,
                torch.zeros_like(start),
                1.0,
                sampler,
                sigmas,
                self.positive,
                [],
                start,
                disable_pbar=True,
                seed=0,
            )
        return out


def scene(model: Any, prompts: tuple[Any, Any], size: int) -> tuple[Scene, float]:
    """A random picture of size x size latents, inverted; and the seconds that a step of inversion took."""
    sampling = model.get_model_object("model_sampling")
    sigmas = comfy.samplers.calculate_sigmas(sampling, "ddim_uniform", STEPS)
    picture = noise(model, size, size, seed=0)
    conditions = Conditions(prompts[0], None, 1.0)
    started = time.perf_counter()
    with torch.inference_mode():
        structure, _ = invert(model, conditions, {"samples": picture}, sigmas, "edit friendly ddpm", seed=0)
    seconds = (time.perf_counter() - started) / STEPS
    mirrored = replace(structure, states=structure.states.flip(-1))
    wider = [torch.cat([x, x[..., : size // 2]], dim=-1) for x in (mirrored.states, mirrored.noise)]
    wide = replace(mirrored, states=wider[0], noise=wider[1])
    return Scene(model, prompts[0], structure, mirrored, wide), seconds


def measure(name: str, model: Any, prompts: tuple[Any, Any], size: int, rounds: int) -> dict[str, Any]:
    """Figures for square latents of `size` cells."""
    made, inversion = scene(model, prompts, size)
    variants = made.variants()
    steps = len(variants[PLAIN][2]) - 1
    seconds: dict[str, list[float]] = {variant: [] for variant in variants}
    waited: dict[str, list[float]] = {variant: [] for variant in variants}
    peaks: dict[str, int] = {}
    for _ in range(rounds):
        for variant, outputs in variants.items():
            began, started = time.perf_counter(), record.clock()
            with PeakBytes() as counter:  # its own time is next to nothing at this size
                out = made.sample(outputs)
            seconds[variant].append((record.clock() - started) / steps)
            waited[variant].append((time.perf_counter() - began) / steps)
            peaks[variant] = counter.peak
            assert out.shape == made.structure.picture.shape and bool(out.isfinite().all()), variant
    return {
        "model": name,
        "latent": list(made.structure.picture.shape),
        "rounds": rounds,
        "seconds of a plain step": statistics.median(waited[PLAIN]),
        "seconds of a step of inversion": inversion,
        "time": {variant: ratio(times, seconds[PLAIN]) for variant, times in seconds.items()},
        "extra megabytes": {variant: (peak - peaks[PLAIN]) / 2**20 for variant, peak in peaks.items()},
        "megabytes of a plain run": peaks[PLAIN] / 2**20,
    }


def main() -> None:
    options = record.parser(__doc__, "the demo model only, small, one round").parse_args()
    if options.quick:
        result = measure("Pocket Diffusion", *demo(1), size=8, rounds=1)
    else:
        result = measure("random SD1.5", *random_sd15(), size=64, rounds=1)
    print(f"{result['model']}, latent {result['latent']}, {record.machine_class()}")
    rows = [
        [variant, f"{result['time'][variant]:.2f}x", f"{result['extra megabytes'][variant]:+.0f} MB"]
        for variant in result["time"]
    ]
    print(record.table(["variant", "time of a step", "peak memory"], rows))
    print(f"written: {record.write('cross_image_cost', {'runs': [result]}, options).name}")


if __name__ == "__main__":
    main()
