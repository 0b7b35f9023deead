"""Rendered scenes of the demo model's world, each with a caption and the true mask of its words."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from attention_control.demo_model.world import BACKGROUNDS, Scene, Sprites, render, sample_scene
from attention_control.demo_model.world.vocabulary import NUMBERS, plural
from torch import Tensor

SIZE = 128
SEED = 20261122  # training draws its scenes from other seeds


@dataclass(frozen=True)
class Group:
    """Equal subjects: the noun and the colour word that the caption has for them, and where they are."""

    noun: str
    colour: str
    mask: Tensor  # (SIZE, SIZE) bool


@dataclass(frozen=True)
class Labelled:
    """A picture (SIZE, SIZE, 3) in 0..1 and what is in it."""

    image: Tensor
    caption: str
    groups: tuple[Group, ...]


def held_out(sprites: Sprites, numbers: range) -> Iterator[Labelled]:
    """One to three subjects a scene; in a scene each noun and each colour stands for one group."""
    for number in numbers:
        scene = _scene(number)
        picture = render(scene, sprites)
        groups = tuple(
            Group(
                noun=noun if count == 1 else plural(noun),
                colour=colour,
                mask=torch.from_numpy(
                    sum(
                        mask
                        for mask, subject in zip(picture.masks, scene.subjects, strict=True)
                        if (subject.noun, subject.colour) == (noun, colour)
                    )
                    > 0.5
                ),
            )
            for count, colour, noun in scene.groups()
        )
        yield Labelled(torch.from_numpy(picture.image).float() / 255, _caption(scene), groups)


def _scene(number: int) -> Scene:
    for attempt in range(1000):
        rng = np.random.default_rng([SEED, number, attempt])
        scene = sample_scene(rng, SIZE, SIZE, 1 + number % 3)
        _, colours, nouns = zip(*scene.groups(), strict=True)
        if len(set(colours)) == len(set(nouns)) == len(nouns):
            return scene
    raise RuntimeError(f"no scene {number} in which each word stands for one group")


def _caption(scene: Scene) -> str:
    phrases = [
        f"{'an' if colour[0] in 'aeiou' else 'a'} {colour} {noun}"
        if count == 1
        else f"{NUMBERS[count]} {colour} {plural(noun)}"
        for count, colour, noun in scene.groups()
    ]
    return f"{' and '.join(phrases)} {BACKGROUNDS[scene.background]}"
