"""Pairs of rendered scenes for appearance transfer: one subject each, near the same place, masks known."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from attention_control.demo_model.world import (
    BACKGROUNDS,
    COLOURS,
    STYLES,
    SUBJECTS,
    Scene,
    Sprites,
    Subject,
    render,
    sample_scene,
)
from torch import Tensor

SIZE = 128
SEED = 20261123  # training draws its scenes from other seeds
SIZES = (56, 60, 64, 68, 72)  # pixels of a subject


@dataclass(frozen=True)
class Shown:
    """A picture (SIZE, SIZE, 3) in 0..1, the mask of its subject (SIZE, SIZE) bool, and what it shows."""

    image: Tensor
    mask: Tensor
    scene: Scene

    @property
    def subject(self) -> Subject:
        return self.scene.subjects[0]

    @property
    def caption(self) -> str:
        """All that is to be said of it."""
        return sentence(self.subject.noun, self.subject.colour, self.scene.background, self.scene.style)


@dataclass(frozen=True)
class Pair:
    structure: Shown
    appearance: Shown

    @property
    def wanted(self) -> str:
        """The words for what a transfer should give: the structure's subject and place, the other's look."""
        one, other = self.structure, self.appearance
        return sentence(one.subject.noun, other.subject.colour, one.scene.background, other.scene.style)


def sentence(noun: str, colour: str, background: str, style: str) -> str:
    """A caption as in training, nothing left out."""
    article = "an" if colour[0] in "aeiou" else "a"
    return f"{article} {colour} {noun} {BACKGROUNDS[background]}, {style} style"


def pairs(sprites: Sprites, number: int) -> Iterator[Pair]:
    """The two differ in subject, colour, style and background; size and place by a few pixels."""
    for index in range(number):
        rng = np.random.default_rng([SEED, index])
        first = sample_scene(rng, SIZE, SIZE, 1)
        size = int(rng.choice(SIZES))
        left, top = (int(v) for v in rng.integers(8, SIZE - size - 7, 2))
        one = replace(first, subjects=(replace(first.subjects[0], left=left, top=top, size=size),))
        yield Pair(shown(one, sprites), shown(_unlike(one, rng), sprites))


def _unlike(scene: Scene, rng: np.random.Generator) -> Scene:
    """Another scene with its subject near the place where `scene` has its own."""
    subject = scene.subjects[0]
    size = int(np.clip(subject.size + rng.choice([-4, 0, 4]), SIZES[0], SIZES[-1]))
    left, top = (int(np.clip(at + rng.integers(-8, 9), 0, SIZE - size)) for at in (subject.left, subject.top))
    drawn = sample_scene(rng, SIZE, SIZE, 1)
    return replace(
        drawn,
        style=_other(STYLES, scene.style, rng),
        background=_other(BACKGROUNDS, scene.background, rng),
        subjects=(
            replace(
                drawn.subjects[0],
                noun=_other(SUBJECTS, subject.noun, rng),
                colour=_other(COLOURS, subject.colour, rng),
                left=left,
                top=top,
                size=size,
            ),
        ),
    )


def _other(words: dict[str, object], but: str, rng: np.random.Generator) -> str:
    return str(rng.choice([word for word in words if word != but]))


def shown(scene: Scene, sprites: Sprites) -> Shown:
    picture = render(scene, sprites)
    return Shown(
        torch.from_numpy(picture.image).float() / 255, torch.from_numpy(picture.masks[0] > 0.5), scene
    )
