"""The steps of training by name, in the order in which each needs the ones before it."""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..world import Sprites
from ..world.sprites import drawings
from ..world.toys import toys
from .batches import PoolBatches, Source
from .companion_training import train_companion
from .companions import COMPANIONS
from .files import Places
from .judge import decode_scenes, train_judge
from .pool import CANVASES, make_pool
from .stream import Pictures, StreamBatches
from .text import Words
from .together import Together
from .unet import Trained
from .unet_training import Plan, train_unet
from .vae import rendered, train_vae
from .weights import load_vae_network


@dataclass(frozen=True)
class Setting:
    """What all steps are told: where things lie, on which device, until when, the options of `train.py`
    and one of its recipes."""

    places: Places
    device: torch.device
    until: float  # of time.monotonic()
    options: argparse.Namespace
    recipe: dict[str, Any]
    log: Callable[[str], None]
    sprites: Sprites
    together: Together

    @property
    def start(self) -> str:
        if self.options.resume:
            return "checkpoint"
        return "weights" if self.options.from_weights else "fresh"


def run_step(step: str, minutes: float, setting: Setting) -> bool:
    """Run one of `STEPS`; False if it was asked to end, or its time ran out, before it was done."""
    setting.log(f"step {step}")
    return STEPS[step](minutes, setting)


def _data(minutes: float, setting: Setting) -> bool:
    return True  # the sprites are there, or there would be no setting


def _pack(minutes: float, setting: Setting) -> bool:
    drawings(setting.places.cache)
    toys(setting.places.cache)
    return True


def _vae(minutes: float, setting: Setting) -> bool:
    images = _painted(setting) if setting.options.stream else rendered(setting.sprites, setting.recipe["vae"])
    return train_vae(
        setting.places,
        minutes,
        setting.start,
        images,
        setting.device,
        setting.log,
        setting.options.decoder_only,
        setting.until,
        setting.recipe["statistics"],
    )


def _painted(setting: Setting) -> Iterator[Tensor]:
    from ...nodes.host.demo_model import SD1Tokenizer

    pictures = _pictures(setting, Words(SD1Tokenizer()), setting.recipe["vae"])
    while True:
        for source in pictures.values():
            yield next(source)[0]


def _judge(minutes: float, setting: Setting) -> bool:
    options, places = setting.options, setting.places
    if not options.resume or not (places.cache / "decoded.pt").is_file():
        decode_scenes(places, setting.sprites, options.decoded, setting.device)
    return train_judge(
        places, setting.sprites, minutes, options.resume, setting.device, setting.log, setting.until
    )


def _pool(minutes: float, setting: Setting) -> bool:
    options = setting.options
    if options.stream:
        return True  # pictures are painted when they are needed
    return make_pool(
        setting.places,
        setting.sprites,
        {"small": options.small, "full": options.full},
        options.seed,
        setting.device,
        setting.log,
        setting.until,
    )


def _unet(minutes: float, setting: Setting) -> bool:
    options = setting.options
    network = load_vae_network(setting.places).to(setting.device)
    trained = Trained(network.post_quant_conv.weight.shape[1], options.width).to(setting.device)
    if setting.start == "weights":
        trained.load_weights(setting.places.weights)
    if options.compile:
        trained.compile()
    plan = Plan(minutes, options.decay, tuple(options.small_share), options.binding)
    source = _batches(setting, trained, network)
    return train_unet(
        setting.places,
        plan,
        trained,
        source,
        options.resume,
        setting.log,
        setting.until,
        setting.together,
    )


def _batches(setting: Setting, trained: Trained, network: torch.nn.Module) -> Source:
    words, size = trained.text.words, setting.together.size
    batch = {canvas: max(number // size, 1) for canvas, number in setting.recipe["unet"].items()}
    if setting.options.stream:
        chunk = {canvas: min(256, number) for canvas, number in batch.items()}
        return StreamBatches(_pictures(setting, words, chunk), network, batch)
    rng, binding = np.random.default_rng(), setting.options.binding > 0
    return PoolBatches(setting.places.cache, words, batch, rng, setting.device, binding)


def _pictures(setting: Setting, words: Words, chunk: dict[str, int]) -> dict[str, Pictures]:
    """Of both canvases; whole scenes take most of the processes, for they take most of the time."""
    sprites, workers = setting.sprites, max((os.cpu_count() or 2) - 2, 2)
    share = {"small": max(workers // 5, 1), "full": workers - max(workers // 5, 1)}
    seed = time.time_ns() % 2**32
    return {c: Pictures(sprites, c, words, setting.device, seed, share[c], chunk[c]) for c in CANVASES}


def _companion(name: str) -> Callable[[float, Setting], bool]:
    def step(minutes: float, setting: Setting) -> bool:
        return train_companion(
            name,
            setting.places,
            setting.sprites,
            minutes,
            setting.recipe[name],
            setting.options.resume,
            setting.device,
            setting.log,
            setting.until,
        )

    return step


STEPS: dict[str, Callable[[float, Setting], bool]] = {
    "data": _data,
    "pack": _pack,
    "vae": _vae,
    "judge": _judge,
    "pool": _pool,
    "unet": _unet,
    **{name: _companion(name) for name in COMPANIONS},
}
