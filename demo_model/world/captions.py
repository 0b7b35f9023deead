"""Captions: true sentences about a scene, with attributes left out at random."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .scene import Scene
from .vocabulary import EVERY_BACKGROUND, NUMBERS, SUNGLASSES, SYNONYMS, plural

COLOUR_NAMED, BACKGROUND_NAMED, STYLE_NAMED, SYNONYM_USED = 0.85, 0.7, 0.7, 0.12


@dataclass(frozen=True)
class _Group:
    """Subjects that one phrase speaks of; what is not named is empty."""

    count: int
    colour: str
    noun: str
    wears: str


def caption(scene: Scene, rng: np.random.Generator) -> str:
    """One sentence that is true of the scene; the nouns and their numbers are always named."""
    named = bool(rng.random() < COLOUR_NAMED)
    groups = _groups(scene, named)
    groups = [groups[i] for i in rng.permutation(len(groups))]
    style_in_front = len(groups) == 1 and rng.random() < 0.15
    sentence = _sentence(groups, f"{scene.style} " if style_in_front else "", named, rng)
    if rng.random() < BACKGROUND_NAMED:
        sentence = f"{sentence} {EVERY_BACKGROUND[scene.background]}"
    if not style_in_front and rng.random() < STYLE_NAMED:
        sentence = f"{sentence}, {scene.style}" + (" style" if rng.random() < 0.85 else "")
    return sentence


def _groups(scene: Scene, named: bool) -> list[_Group]:
    """Equal subjects together; without their colours subjects of one noun are equal."""
    found: dict[tuple[str, str], list[str]] = {}
    for subject in scene.subjects:
        found.setdefault((subject.noun, subject.colour if named else ""), []).append(subject.wears)
    return [
        _Group(len(wears), colour, noun, wears[0] if len(set(wears)) == 1 else "")
        for (noun, colour), wears in found.items()
    ]


def _sentence(groups: Sequence[_Group], style: str, named: bool, rng: np.random.Generator) -> str:
    nouns, counts = {g.noun for g in groups}, [g.count for g in groups]
    if named and len(groups) > 1 and len(nouns) == 1 and min(counts) > 1 and not any(g.wears for g in groups):
        numbers = " and ".join(f"{_number(g.count, rng)} {_word(g.colour, rng)}" for g in groups)
        return f"{numbers} {plural(_word(groups[0].noun, rng))}"
    phrases = [_phrase(group, style, len(groups) == 1, rng) for group in groups]
    if len(phrases) > 2 and rng.random() < 0.25:
        return f"{', '.join(phrases[:-1])} and {phrases[-1]}"
    return " and ".join(phrases)


def _phrase(group: _Group, style: str, alone: bool, rng: np.random.Generator) -> str:
    noun = _word(group.noun, rng)
    adjectives = style + (f"{_word(group.colour, rng)} " if group.colour else "")
    if group.count > 1:
        words = f"{_number(group.count, rng)} {adjectives}{plural(noun)}"
    else:
        words = f"{adjectives}{noun}"
        words = f"{'an' if words[0] in 'aeio' else 'a'} {words}"
    return f"{words} {_wearing(group, alone, rng)}" if group.wears else words


def _wearing(group: _Group, alone: bool, rng: np.random.Generator) -> str:
    """Black is what sunglasses are: it is named now and then only."""
    verb = "with" if rng.random() < 0.2 else "wearing"
    if alone and group.count == 1 and verb == "wearing" and rng.random() < 0.3:
        verb = "is wearing"
    told = group.colour and (group.wears != "black" or rng.random() < 0.3)
    return f"{verb} {_word(group.wears, rng)} {SUNGLASSES}" if told else f"{verb} {SUNGLASSES}"


def _number(count: int, rng: np.random.Generator) -> str:
    return NUMBERS[count] if rng.random() < 0.7 else str(count)


def _word(word: str, rng: np.random.Generator) -> str:
    return SYNONYMS[word] if word in SYNONYMS and rng.random() < SYNONYM_USED else word
