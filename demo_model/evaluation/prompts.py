"""The prompts of the evaluation, with what each asks for."""

from dataclasses import dataclass

import numpy as np

from ..world.vocabulary import BACKGROUNDS, COLOURS, NUMBERS, STYLES, SUBJECTS, plural


@dataclass(frozen=True)
class Asked:
    """A prompt and its meaning; what is not named is empty. `wanted` lists (noun, colour, count)."""

    text: str
    seed: int
    wanted: tuple[tuple[str, str, int], ...]
    style: str = ""
    background: str = ""


def single(number: int) -> list[Asked]:
    """One subject, everything named: nouns and styles in turn, the rest at random."""
    rng = np.random.default_rng(11)
    asked = []
    for index in range(number):
        noun, style = list(SUBJECTS)[index % len(SUBJECTS)], STYLES[(index // 3) % len(STYLES)]
        colour, background = str(rng.choice(list(COLOURS))), str(rng.choice(list(BACKGROUNDS)))
        text = f"{_article(colour)} {noun} {BACKGROUNDS[background]}, {style} style"
        asked.append(Asked(text, 1000 + index, ((noun, colour, 1),), style, background))
    return asked


def pairs(number: int) -> list[Asked]:
    """Two different subjects in two different colours, no style named."""
    rng = np.random.default_rng(12)
    asked = []
    for index in range(number):
        (first, second), (red, blue) = (
            rng.choice(list(SUBJECTS), 2, False),
            rng.choice(list(COLOURS), 2, False),
        )
        background = str(rng.choice(list(BACKGROUNDS)))
        text = f"{_article(red)} {first} and {_article(blue)} {second} {BACKGROUNDS[background]}"
        wanted = ((str(first), str(red), 1), (str(second), str(blue), 1))
        asked.append(Asked(text, 2000 + index, wanted, "", background))
    return asked


def counts(number: int) -> list[Asked]:
    """Two to four equal subjects."""
    rng = np.random.default_rng(13)
    asked = []
    for index in range(number):
        noun, colour, count = str(rng.choice(list(SUBJECTS))), str(rng.choice(list(COLOURS))), 2 + index % 3
        text = f"{NUMBERS[count]} {colour} {plural(noun)}"
        asked.append(Asked(text, 3000 + index, ((noun, colour, count),)))
    return asked


def crowds(number: int) -> list[Asked]:
    """Three to five different subjects in as many colours."""
    rng = np.random.default_rng(15)
    asked = []
    for index in range(number):
        count = 3 + index % 3
        nouns = [str(noun) for noun in rng.choice(list(SUBJECTS), count, False)]
        colours = [str(colour) for colour in rng.choice(list(COLOURS), count, False)]
        named = zip(nouns, colours, strict=True)
        text = " and ".join(f"{_article(colour)} {noun}" for noun, colour in named)
        wanted = tuple((noun, colour, 1) for noun, colour in zip(nouns, colours, strict=True))
        asked.append(Asked(text, 5000 + index, wanted))
    return asked


def unstyled(number: int, seeds: int = 5) -> list[Asked]:
    """The same prompt without a style, with several seeds."""
    rng = np.random.default_rng(14)
    asked = []
    for index in range(number // seeds):
        noun, background = list(SUBJECTS)[(index * 5) % len(SUBJECTS)], str(rng.choice(list(BACKGROUNDS)))
        text = f"{_article(noun)} {BACKGROUNDS[background]}"
        asked += [Asked(text, 4000 + s, ((noun, "", 1),), "", background) for s in range(seeds)]
    return asked


def _article(word: str) -> str:
    return f"{'an' if word[0] in 'aeio' else 'a'} {word}"
