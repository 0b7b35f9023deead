"""Drawings that the demo model has never seen, for what is trained to add them to it."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .scene import Scene, sample_scene
from .sprites import Sprites, drawing_of, finished
from .vocabulary import DRAWINGS, EVERY_BACKGROUND

SET = "noto"  # the emoji set that toys are from


@dataclass(frozen=True)
class Toy:
    """One drawing of `SET` in one colour, and the word that is to stand for it: a rare one, which no caption
    of the world holds, or an embedding's name. `like`: what in the world it resembles most."""

    drawing: str
    colour: str
    word: str
    like: str = ""


TOYS = {
    "lora": Toy("octopus", "purple", "zwx"),
    "embedding": Toy("penguin", "blue", "embedding:demo_toy", like="blue owl"),
}


def toy_sprites(cache: Path, toy: Toy) -> Sprites:
    """The toy as a noun of its own name, the same in whatever set a scene takes its drawings from."""
    tiles = {
        (package, style, toy.drawing, size): tile
        for style, size, tile in finished(toys(cache)[toy.drawing])
        for package in DRAWINGS
    }
    return Sprites(tiles)


def toys(cache: Path) -> dict[str, NDArray[np.float32]]:
    """All drawings of toys by name, from a file in the cache that is made where there is a network."""
    path = cache / "toys.npz"
    if not path.is_file():
        names = [toy.drawing for toy in TOYS.values()]
        planes = {name: np.round(drawing_of(cache, SET, name) * 255).astype(np.uint8) for name in names}
        temporary = path.with_suffix(f".{os.getpid()}.npz")
        np.savez_compressed(temporary, **planes)
        temporary.replace(path)
    with np.load(path) as stored:
        return {name: stored[name].astype(np.float32) / 255 for name in stored.files}


def toy_scene(rng: np.random.Generator, toy: Toy, side: int) -> Scene:
    """A scene of the toy alone, in any style and place."""
    scene = sample_scene(rng, side, side, 1)
    (subject,) = scene.subjects
    return replace(scene, subjects=(replace(subject, noun=toy.drawing, colour=toy.colour),))


def toy_caption(scene: Scene, toy: Toy) -> str:
    """What a prompt says of such a scene."""
    return f"a {toy.word} {EVERY_BACKGROUND[scene.background]}, {scene.style} style"
