"""Captions: true sentences about a scene, with attributes left out at random."""

import numpy as np

from .scene import Scene
from .vocabulary import BACKGROUNDS, NUMBERS, SYNONYMS, plural

COLOUR_NAMED, BACKGROUND_NAMED, STYLE_NAMED, SYNONYM_USED = 0.85, 0.7, 0.7, 0.12


def caption(scene: Scene, rng: np.random.Generator) -> str:
    """One sentence that is true of the scene; the nouns and their numbers are always named."""
    groups = scene.groups()
    if rng.random() < 0.5:
        groups = groups[::-1]
    named = rng.random() < COLOUR_NAMED
    style_in_front = len(groups) == 1 and rng.random() < 0.15
    adjective = f"{scene.style} " if style_in_front else ""
    counts, colours, nouns = zip(*groups, strict=True)
    if named and len(groups) == 2 and nouns[0] == nouns[1] and min(counts) > 1:
        numbers = [_number(count, rng) for count in counts]
        noun = plural(_word(nouns[0], rng))
        pair = " and ".join(f"{n} {_word(c, rng)}" for n, c in zip(numbers, colours, strict=True))
        sentence = f"{pair} {noun}"
    else:
        colour = [f"{_word(c, rng)} " if named else "" for c in colours]
        sentence = " and ".join(
            _phrase(count, adjective + c, noun, rng)
            for count, c, noun in zip(counts, colour, nouns, strict=True)
        )
    if rng.random() < BACKGROUND_NAMED:
        sentence = f"{sentence} {BACKGROUNDS[scene.background]}"
    if not style_in_front and rng.random() < STYLE_NAMED:
        sentence = f"{sentence}, {scene.style}" + (" style" if rng.random() < 0.85 else "")
    return sentence


def _phrase(count: int, adjectives: str, noun: str, rng: np.random.Generator) -> str:
    noun = _word(noun, rng)
    if count > 1:
        return f"{_number(count, rng)} {adjectives}{plural(noun)}"
    words = f"{adjectives}{noun}"
    return f"{'an' if words[0] in 'aeio' else 'a'} {words}"


def _number(count: int, rng: np.random.Generator) -> str:
    return NUMBERS[count] if rng.random() < 0.7 else str(count)


def _word(word: str, rng: np.random.Generator) -> str:
    return SYNONYMS[word] if word in SYNONYMS and rng.random() < SYNONYM_USED else word
