"""Train Pocket Diffusion: `python demo_model/train.py` runs all steps; --help shows how to run a few."""

import argparse
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "scripts"))

STEPS = ("data", "vae", "judge", "pool", "unet")
MINUTES = {"vae": 10.0, "judge": 8.0, "unet": 600.0}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "steps", nargs="*", choices=[*STEPS, []], help="which steps; all of them if none is named"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoints in the cache")
    parser.add_argument("--from-weights", action="store_true", help="unet: start from the committed weights")
    parser.add_argument("--minutes", type=float, help="wall time of each named training step")
    parser.add_argument("--decoded", type=int, default=2400, help="judge: pictures passed through the VAE")
    parser.add_argument("--small", type=int, default=24000, help="pool: pictures of 64 x 64 pixels")
    parser.add_argument("--full", type=int, default=8000, help="pool: pictures of 128 x 128 pixels")
    parser.add_argument(
        "--decay", type=float, default=0.2, help="unet: last share of the time, learning rate to zero"
    )
    parser.add_argument(
        "--small-share", type=float, nargs=2, default=(0.75, 0.4), help="unet: steps on small pictures"
    )
    parser.add_argument(
        "--binding", type=float, default=0.0, help="unet: weight of the nouns' attention loss"
    )
    parser.add_argument("--seed", type=int, default=0, help="pool: seed of its first picture")
    parser.add_argument("--device", default="", help="cpu or cuda; cuda if there is one")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument(
        "--cache", type=Path, default=Path.home() / ".cache" / "attention-control" / "demo_model"
    )
    parser.add_argument("--weights", type=Path, default=HERE / "weights")
    return parser.parse_args()


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

    from attention_control.demo_model.training.files import Places
    from attention_control.demo_model.training.steps import run_step

    places = Places(options.cache, options.weights)
    places.cache.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()

    def log(line: str) -> None:
        print(f"{time.monotonic() - start:7.0f}s {line}", flush=True)

    for step in options.steps or STEPS:
        minutes = options.minutes or MINUTES.get(step, 0.0)
        run_step(step, places, minutes, device, options, log)


if __name__ == "__main__":
    main()
