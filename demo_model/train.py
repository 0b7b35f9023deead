"""Train Pocket Diffusion, on a processor in hours or on a graphics card in minutes.

python demo_model/train.py                          all steps on what there is; the same command goes on
python demo_model/train.py --recipe gpu --sitting 9   ... for nine minutes at a time
python demo_model/train.py unet --from-weights       one step, from the files in --weights
torchrun --nproc-per-node 2 demo_model/train.py unet --threads 1     two processes, for two cores
python demo_model/train.py control lora embedding    companions of the model in --weights, into --state

A machine without a network needs two things: a checkout of the host (COMFYUI_PATH), and `drawings.npz`, which
`train.py pack` leaves in the cache where there is a network: bring it into the cache there. What has to come
back and forth is --state: checkpoints in parts of at most 15 MB, 62 MB in all, and the files of weights.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "scripts"))

STEPS = ("data", "vae", "judge", "pool", "unet")
COMPANIONS = ("control", "lora", "embedding")  # of a finished model; only where they are named
CACHE = Path.home() / ".cache" / "attention-control" / "demo_model"
# What a whole training is: options that are not given, minutes of each step, pictures in a batch by canvas,
# and how many batches of pictures the latents' mean and deviation are taken from.
CPU: dict[str, Any] = {
    "stream": False,
    "compile": False,
    "minutes": {
        "vae": 40.0,
        "judge": 30.0,
        "unet": 180.0,
        "control": 24.0,
        "lora": 9.0,
        "embedding": 18.0,
    },
    "vae": {"small": 16, "full": 4},
    "unet": {"small": 128, "full": 32},
    "statistics": 80,
    "control": {"pictures": 2000, "batch": 8},
    "lora": {"pictures": 128, "batch": 8},
    "embedding": {"pictures": 48, "batch": 8},
}
RECIPES: dict[str, dict[str, Any]] = {
    "cpu": CPU,
    "gpu": {
        "stream": True,
        "compile": True,
        "minutes": {"vae": 8.0, "judge": 8.0, "unet": 20.0, "control": 3.0, "lora": 1.0, "embedding": 1.0},
        "vae": {"small": 256, "full": 64},
        "unet": {"small": 4096, "full": 1024},
        "statistics": 20,
        "control": {"pictures": 4000, "batch": 64},
        "lora": {"pictures": 128, "batch": 32},
        "embedding": {"pictures": 48, "batch": 32},
    },
    "dry": CPU
    | {
        "minutes": dict.fromkeys(("vae", "judge", "unet", *COMPANIONS), 1e-3),
        "vae": {"small": 2, "full": 1},
        "unet": {"small": 2, "full": 2},
        "statistics": 4,
        **{name: {"pictures": 2, "batch": 2} for name in COMPANIONS},
    },
}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "steps",
        nargs="*",
        choices=[*STEPS, *COMPANIONS, "pack", []],
        help="which steps; those of a model if none is named",
    )
    add(
        "--recipe",
        choices=list(RECIPES),
        help="gpu if there is one, else cpu; dry: seconds, to see that it runs",
    )
    add("--sitting", type=float, help="stop after so many minutes; the same command goes on")
    add("--afresh", action="store_true", help="do not go on from the checkpoints in the cache")
    add("--from-weights", action="store_true", help="vae, unet: start from the files in --weights, afresh")
    add("--decoder-only", action="store_true", help="vae: leave the latents as they are, for a trained U-Net")
    add("--minutes", type=float, help="wall time of each named step, earlier runs included")
    add("--decoded", type=int, default=2400, help="judge: pictures passed through the VAE")
    add("--small", type=int, default=30000, help="pool: pictures of 64 x 64 pixels")
    add("--full", type=int, default=30000, help="pool: pictures of 128 x 128 pixels")
    add("--decay", type=float, default=0.3, help="unet: last share of the time, learning rate to zero")
    add("--small-share", type=float, nargs=2, default=(0.6, 0.2), help="unet: steps on small pictures")
    add("--binding", type=float, default=0.0, help="unet: weight of the nouns' attention loss")
    add("--width", type=int, default=64, help="unet: channels of its first level")
    add("--seed", type=int, default=0, help="pool: seed of its first file")
    add(
        "--stream",
        action=argparse.BooleanOptionalAction,
        help="paint pictures on the device, not into a pool",
    )
    add("--compile", action=argparse.BooleanOptionalAction, help="unet: compile it")
    add("--device", default="", help="cpu or cuda; cuda if there is one")
    add("--threads", type=int, default=2, help="CPU threads")
    add("--cache", type=Path, default=CACHE, help="drawings and latents")
    add("--state", type=Path, help="checkpoints; the cache if not given")
    add("--weights", type=Path, help="finished files; the folder weights of --state if not given")
    options = parser.parse_args(arguments)
    begun = {"--afresh": options.afresh, "--from-weights": options.from_weights}
    left = " and ".join(name for name, given in begun.items() if given)
    options.onwards = f"the same command without {left}" if left else "the same command"
    options.resume = not (options.afresh or options.from_weights)
    options.state = options.state or options.cache
    options.weights = options.weights or options.state / "weights"
    return options


def main() -> None:
    options = parse()
    from pack import load_pack, use_host

    load_pack()
    use_host()
    import torch
    from comfy.cli_args import args  # type: ignore[import-not-found]

    # Before anything else of the host is imported: attention that has a gradient, on the wanted device.
    args.use_pytorch_cross_attention = True
    device = torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    args.cpu = device.type == "cpu"
    torch.set_num_threads(options.threads)
    train(options, device)


def train(options: argparse.Namespace, device: Any, sprites: Any = None) -> bool:
    """Run the steps that `options` name; False if one of them is not done yet.

    Without `sprites` those of the cache are painted.
    """
    from attention_control.demo_model.training.files import Places
    from attention_control.demo_model.training.steps import Setting, run_step
    from attention_control.demo_model.training.together import Together
    from attention_control.demo_model.world import Sprites

    recipe = RECIPES[options.recipe or ("cpu" if device.type == "cpu" else "gpu")]
    for name in ("stream", "compile"):
        if getattr(options, name) is None:
            setattr(options, name, recipe[name])
    together = Together.join()
    if together.size > 1 and options.steps != ["unet"]:
        raise SystemExit("several processes train the step unet only; name it, or start one process")
    places = Places(options.cache, options.weights, options.state)
    for folder in (places.cache, places.state):
        folder.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()

    def log(line: str) -> None:
        if together.rank == 0:
            print(f"{time.monotonic() - start:7.0f}s {line}", flush=True)

    until = start + 60 * options.sitting if options.sitting else float("inf")
    sprites = sprites or Sprites.load(places.cache)
    setting = Setting(places, device, until, options, recipe, log, sprites, together)
    done = True
    for step in options.steps or STEPS:
        done = run_step(step, options.minutes or recipe["minutes"].get(step, 0.0), setting)
        if not done:
            log(f"stopped in step {step}; {options.onwards} goes on")
            break
    together.leave()  # not after an error: the others would not be there
    return done


if __name__ == "__main__":
    main()
