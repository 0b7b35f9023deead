"""Measure Pocket Diffusion: `python demo_model/evaluate.py` makes 570 pictures and prints the tables."""

import argparse
import json
import platform
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "scripts"))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the pictures, for a first look")
    parser.add_argument("--cfg", type=float, default=None, help="guidance scale, if not the card's")
    parser.add_argument("--weights", type=Path, default=HERE / "weights")
    parser.add_argument("--judge", type=Path, help="file of the judge, if not the one among the weights")
    parser.add_argument("--against", type=Path, help="figures of another model, read by the same judge")
    parser.add_argument("--companions", type=Path, help="measure those in this folder, and nothing else")
    parser.add_argument("--sheet", type=Path, help="where to save a sheet of samples")
    parser.add_argument("--card", type=Path, help="only write a card's tables, from the files beside it")
    parser.add_argument("--result", type=Path, help="where to save the figures as JSON")
    parser.add_argument(
        "--cache", type=Path, default=Path.home() / ".cache" / "attention-control" / "demo_model"
    )
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main() -> None:
    options = parse()
    from pack import load_pack, use_host

    load_pack()
    if options.card:
        from attention_control.demo_model.evaluation.card import filled

        options.card.write_text(filled(options.card.read_text(), options.card.parent))
        return
    use_host()
    import torch
    from comfy.cli_args import args  # type: ignore[import-not-found]

    args.cpu = not torch.cuda.is_available()
    torch.set_num_threads(options.threads)
    from attention_control.demo_model.evaluation.compare import worse
    from attention_control.demo_model.evaluation.generate import CFG
    from attention_control.demo_model.evaluation.report import evaluate, sheet
    from attention_control.nodes.host.demo_model import load_demo_model

    demo = load_demo_model(options.weights)
    if options.companions:
        write(companions(demo, options), options)
        return
    start = time.monotonic()
    figures: dict[str, Any] = evaluate(
        demo,
        options.judge or options.weights / "judge.safetensors",
        options.cache,
        0.1 if options.quick else 1.0,
        options.cfg or CFG,
    )
    write(figures, options)
    print(f"{time.monotonic() - start:.0f} s in all, {figures['seconds per image']:.2f} s per image")
    if options.against:
        lines = worse(json.loads(options.against.read_text()), figures)
        print("\n".join(["worse than before:", *lines] if lines else ["nothing is worse than before"]))
    if options.sheet:
        sheet(demo, options.cfg or CFG).save(options.sheet, quality=90)


def write(figures: dict[str, Any], options: argparse.Namespace) -> None:
    """The figures as JSON, with the machine and the day, if they are to be kept."""
    import torch

    threads = f"{torch.get_num_threads()} threads, {platform.machine()} CPU"
    figures["machine"] = "GPU" if torch.cuda.is_available() else threads
    figures["date"] = date.today().isoformat()
    if options.result:
        options.result.write_text(json.dumps(figures, indent=1) + "\n")


def companions(demo: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Figures of the ControlNet, the LoRA and the embedding in a folder, and which files they are of."""
    from attention_control.demo_model.evaluation.companions import lines, rate_companions
    from attention_control.demo_model.judge import WEIGHTS, Judge
    from attention_control.demo_model.training.weights import listed
    from attention_control.demo_model.world import Sprites

    judge, sprites = Judge.load(options.judge or WEIGHTS), Sprites.load(options.cache)
    number = 5 if options.quick else 50
    rates = rate_companions(demo, judge, options.companions, options.cache, sprites, number)
    print("\n".join(lines(rates)))
    entries = listed(options.weights / "unet.safetensors", *sorted(options.companions.rglob("*.safetensors")))
    return {"companions": rates, "weights": entries.pop("unet.safetensors")["sha256"], "files": entries}


if __name__ == "__main__":
    main()
