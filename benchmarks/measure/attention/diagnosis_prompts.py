"""What a diagnosis is measured on: prompts, and true scenes with words that are not true of them."""

from dataclasses import dataclass

import numpy as np
import torch
from attention_control.demo_model.world import (
    BACKGROUNDS,
    COLOURS,
    SUBJECTS,
    Scene,
    Sprites,
    render,
    sample_scene,
)
from torch import Tensor

SIZE = 128
COUNTS = (2, 3, 2, 3, 4)
Pair = tuple[str, str]
"""Colour and noun."""


@dataclass(frozen=True)
class Told:
    """A prompt: the pairs that it names, in their order."""

    pairs: tuple[Pair, ...]
    background: str

    @property
    def text(self) -> str:
        named = (f"{'an' if c[0] in 'aeio' else 'a'} {c} {noun}" for c, noun in self.pairs)
        return f"{' and '.join(named)} {BACKGROUNDS[self.background]}"


@dataclass(frozen=True)
class Shown:
    """A true scene (SIZE, SIZE, 3) with the colours of its nouns, and what is told of it."""

    told: Told
    colours: dict[str, set[str]]
    image: Tensor


def prompt(seed: int, number: int) -> Told:
    """Two to four different subjects in as many colours."""
    rng = np.random.default_rng([seed, number])
    count = COUNTS[number % len(COUNTS)]
    nouns = rng.choice(list(SUBJECTS), count, replace=False)
    colours = rng.choice(list(COLOURS), count, replace=False)
    background = str(rng.choice(list(BACKGROUNDS)))
    return Told(tuple((str(c), str(n)) for c, n in zip(colours, nouns, strict=True)), background)


def scene(sprites: Sprites, seed: int, number: int) -> Shown:
    """In turn: told as it is, with the colours exchanged, with a subject more that is not there, with one in
    place of the second, without the second."""
    drawn, pairs = _two(seed, number)
    rng = np.random.default_rng([seed, number, 10**6])
    told = list(pairs)
    if number % 5 == 1:
        told = [(pairs[1][0], pairs[0][1]), (pairs[0][0], pairs[1][1])]
    elif number % 5 > 2:
        told.pop()
    if number % 5 in (2, 3):
        noun = str(rng.choice([x for x in SUBJECTS if x not in [n for _, n in pairs]]))
        colour = str(rng.choice([x for x in COLOURS if x not in [c for c, _ in pairs]]))
        told.insert(int(rng.integers(3)), (colour, noun))
    image = torch.from_numpy(render(drawn, sprites).image).float() / 255
    return Shown(Told(tuple(told), drawn.background), {noun: {colour} for colour, noun in pairs}, image)


def _two(seed: int, number: int) -> tuple[Scene, list[Pair]]:
    """A scene of two subjects that share neither noun nor colour."""
    for attempt in range(1000):
        drawn = sample_scene(np.random.default_rng([seed, number, attempt]), SIZE, SIZE, 2)
        groups = drawn.groups()
        if len({c for _, c, _ in groups}) == len({n for _, _, n in groups}) == 2:
            return drawn, [(colour, noun) for _, colour, noun in groups]
    raise RuntimeError(f"no scene {number} with two different subjects")
