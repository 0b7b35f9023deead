"""Does an inversion lead back to its picture? PSNR on rendered scenes, encoded by the VAE, demo model.

Latent PSNR: the reconstructed latents beside the inverted ones. Picture PSNR: both decoded; the VAE's own
loss is not in it. Each scene is inverted and reconstructed with its caption, at the same CFG; the negative is
empty. `start 0.5` leaves out the noisier half of the schedule.
"""

import argparse
from collections import defaultdict
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

from measure.setting import host

host.start()

import torch  # noqa: E402  the host is found only now
from attention_control.attention_patches.inversion.inversion import psnr  # noqa: E402
from attention_control.demo_model.world import Sprites  # noqa: E402
from attention_control.nodes.demo.load_demo_model_node import LoadDemoModel  # noqa: E402
from attention_control.nodes.host.text.prompt_batch import encode_rows  # noqa: E402
from attention_control.nodes.inversion.invert_latent_node import InvertLatent  # noqa: E402
from attention_control.nodes.inversion.reconstruct_latent_node import ReconstructLatent  # noqa: E402
from measure.pages import record  # noqa: E402
from measure.setting.scenes import held_out  # noqa: E402

METHODS = ("ddim", "edit friendly ddpm")
STEPS = (10, 20, 50, 100)
CFGS = (1.0, 3.0)
MEASURES = ("latent PSNR, dB", "picture PSNR, dB", "latent PSNR from 0.5 on, dB", "deviation of the noise")
BATCH = 8
FIRST_SCENE = 2000

Figures = dict[str, list[float]]


def measured(demo: Any, latent: Any, prompts: Any, method: str, steps: int, cfg: float) -> Figures:
    """Figures of each picture of a batch."""
    model, _, vae = demo
    positive, negative = prompts
    inversion, _, sigmas = InvertLatent.execute(
        model, positive, latent, method, "ddim_uniform", steps, cfg, 0, negative
    ).args
    found: Figures = defaultdict(list)
    inverted = model.get_model_object("latent_format").process_out(inversion.picture)
    truth = vae.decode(inverted)
    for start, name in ((0.0, MEASURES[0]), (0.5, MEASURES[2])):
        out, _ = ReconstructLatent.execute(model, positive, inversion, start, cfg, negative).args
        found[name] += [psnr(a, b) for a, b in zip(out["samples"], inverted, strict=True)]
        if start == 0.0:
            shown = vae.decode(out["samples"])
            found[MEASURES[1]] += [psnr(a, b) for a, b in zip(shown, truth, strict=True)]
    noise = (inversion.states[0] - inversion.picture) / sigmas[0]
    found[MEASURES[3]] += noise.flatten(1).std(1).tolist()
    return found


def run(options: argparse.Namespace) -> dict[str, Any]:
    """All figures of the record: for each setting the mean over the scenes, and the worst latent PSNR."""
    scenes, all_steps = (1, (3, 12)) if options.quick else (6, STEPS)
    sprites = Sprites.load(options.cache)
    found: dict[tuple[str, int, float], Figures] = defaultdict(lambda: defaultdict(list))
    with torch.inference_mode():
        demo = LoadDemoModel.execute().args
        _, clip, vae = demo
        for first in range(FIRST_SCENE, FIRST_SCENE + scenes, BATCH):
            batch = list(held_out(sprites, range(first, min(first + BATCH, FIRST_SCENE + scenes))))
            prompts = encode_rows(clip, [scene.caption for scene in batch]), encode_rows(clip, [""])
            latent = {"samples": vae.encode(torch.stack([scene.image for scene in batch]))}
            for setting in product(METHODS, all_steps, CFGS):
                for name, values in measured(demo, latent, prompts, *setting).items():
                    found[setting][name] += values
            print(f"{first + len(batch) - FIRST_SCENE} of {scenes} scenes", flush=True)
    return {
        "scenes": scenes,
        "rows": [
            {"method": method, "steps": steps, "cfg": cfg}
            | {name: mean(figures[name]) for name in MEASURES}
            | {"worst latent PSNR, dB": min(figures[MEASURES[0]])}
            for (method, steps, cfg), figures in found.items()
        ],
    }


def table(rows: list[dict[str, Any]]) -> str:
    cells = [
        [f"{value:.2f}" if name.startswith("deviation") else _short(value) for name, value in row.items()]
        for row in rows
    ]
    return record.table(list(rows[0]), cells)


def _short(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.1f}" if value < 100 else "> 100"


def main() -> None:
    parser = record.parser(__doc__, "1 scene, 3 and 12 steps")
    cache = Path.home() / ".cache" / "attention-control" / "demo_model"
    parser.add_argument("--cache", type=Path, default=cache, help="where the drawings are kept (made by npm)")
    options = parser.parse_args()
    figures = run(options)
    print(table(figures["rows"]))
    print(f"written: {record.write('inversion', figures, options).name}")


if __name__ == "__main__":
    main()
