"""The steps of training by name, in the order in which each needs the ones before it."""

import argparse
from collections.abc import Callable

import torch

from ..world import Sprites
from .files import Places


def run_step(
    step: str,
    places: Places,
    minutes: float,
    device: torch.device,
    options: argparse.Namespace,
    log: Callable[[str], None],
) -> None:
    """Run one step; `options` are those of `train.py`."""
    log(f"step {step}")
    if step == "data":
        Sprites.load(places.cache)
    elif step == "vae":
        from .vae import train_vae

        train_vae(places, minutes, options.resume, device, log)
    elif step == "judge":
        from .judge import decode_scenes, train_judge

        if not options.resume or not (places.cache / "decoded.pt").is_file():
            decode_scenes(places, options.decoded, device)
        train_judge(places, minutes, options.resume, device, log)
    elif step == "pool":
        from .pool import make_pool

        make_pool(places, options.small, options.full, options.seed, device, log)
    elif step == "unet":
        from .unet import Plan, train_unet

        plan = Plan(minutes, options.decay, tuple(options.small_share), options.binding)
        train_unet(places, plan, options.resume, options.from_weights, device, log)
