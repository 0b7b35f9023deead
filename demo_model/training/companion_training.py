"""Steps control, lora and embedding: a companion of a finished model learns, and its file is written."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ..world import Sprites, caption, render, sample_scene
from ..world.scene import Scene
from ..world.toys import TOYS, toy_caption, toy_scene, toy_sprites
from .clock import Clock
from .companions import CANNY, COMPANIONS, Companion, folder
from .files import Places, has_checkpoint, load_checkpoint, save_checkpoint, save_weights
from .frozen import Frozen, Shown
from .latents import encode
from .pool import cover
from .weights import load_vae_network

SIDE = 128
SAVE_SECONDS = 120
DECAY = 0.3  # of the time, in which the learning rate falls to zero


def train_companion(
    name: str,
    places: Places,
    sprites: Sprites,
    minutes: float,
    numbers: dict[str, int],
    resume: bool,
    device: torch.device,
    log: Callable[[str], None],
    until: float,
) -> bool:
    """Train one of `COMPANIONS` on the weights in `places`; False if asked to end before it was done.

    `numbers` are how many "pictures" are painted for it, and how many are in a "batch".
    """
    torch.manual_seed(int(time.time()))
    companion: Companion = COMPANIONS[name](Frozen(places.weights).to(device))
    optimizer = torch.optim.AdamW(companion.learnt(), lr=companion.rate, weight_decay=0.0)
    before = 0.0
    if resume and has_checkpoint(places.state, name):
        before = _restore(companion, optimizer, load_checkpoint(places.state, name))
        if before >= minutes:
            return True
    shown = pictures(name, places, sprites, numbers["pictures"], device)
    clock = Clock(minutes, until, before)
    saved, step = time.monotonic(), 0
    with clock:
        while clock.running:
            for group in optimizer.param_groups:
                group["lr"] = companion.rate * min(1.0, max(1 - clock.share, 0.0) / DECAY)
            error = companion.error(shown.draw(numbers["batch"]))
            optimizer.zero_grad()
            error.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            step += 1
            if time.monotonic() - saved > SAVE_SECONDS:
                log(f"{name} step {step} error {error.item():.4f}")
                _save(name, companion, optimizer, clock, places)
                saved = time.monotonic()
    _save(name, companion, optimizer, clock, places)
    return clock.share >= 1


def _restore(companion: Companion, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> float:
    for parameter, kept in zip(companion.learnt(), state["learnt"], strict=True):
        parameter.data.copy_(kept)
    optimizer.load_state_dict(state["optimizer"])
    return float(state["minutes"])


def _save(
    name: str, companion: Companion, optimizer: torch.optim.Optimizer, clock: Clock, places: Places
) -> None:
    learnt = [parameter.detach().cpu() for parameter in companion.learnt()]
    state = {"learnt": learnt, "optimizer": optimizer.state_dict(), "minutes": clock.spent}
    save_checkpoint(places.state, name, state)
    save_weights(folder(places.state) / companion.file, companion.tensors())


def pictures(name: str, places: Places, sprites: Sprites, number: int, device: torch.device) -> Shown:
    """What a companion learns from. Of the LoRA's every other picture is of the world as it was."""
    toy = TOYS.get(name)
    painted = None if toy is None else toy_sprites(places.cache, toy)
    network = load_vae_network(places).to(device)
    rng = np.random.default_rng([list(COMPANIONS).index(name), number])
    latents, coverage, said, hints = [], [], [], []
    for index in range(number):
        if toy is None or painted is None or (name == "lora" and index % 2):
            scene: Scene = sample_scene(rng, SIDE, SIDE, 1 + index % 3)
            picture, words = render(scene, sprites), caption(scene, rng)
        else:
            scene = toy_scene(rng, toy, SIDE)
            picture, words = render(scene, painted), toy_caption(scene, toy)
        image = torch.from_numpy(picture.image).movedim(-1, 0)[None].to(device).float() / 255
        latents.append(encode(network, (image * 2 - 1).contiguous()))
        coverage.append(cover(picture.masks).to(device).float() / 255)
        said.append(words)
        if name == "control":
            hints.append(edges(image))
    kept = torch.cat(hints) if hints else None
    return Shown(torch.cat(latents), torch.stack(coverage), said, kept)


def edges(images: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W) in 0..1: the edges of pictures (B, 3, H, W), as the host's node draws them."""
    from kornia.filters import canny  # type: ignore[import-not-found]

    found: torch.Tensor = canny(images, *CANNY)[1]
    return found.repeat(1, 3, 1, 1)
