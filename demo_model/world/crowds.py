"""The scenes of training: up to five kinds of subjects a picture, some with sunglasses, some on a bed."""

from dataclasses import replace

import numpy as np

from .scene import Scene, sample_scene
from .sunglasses import WEARERS
from .vocabulary import EVERY_BACKGROUND, EVERY_COLOUR, SUBJECTS

_SUNGLASSES, _BLACK_ONES = 0.15, 0.6  # of the groups that can wear them; of those, in black
Kind = tuple[str, str, str]  # noun, colour, colour of its sunglasses or ""


def sample_crowd(rng: np.random.Generator, height: int, width: int, count: int) -> Scene:
    """A random scene of `count` subjects (1 to 5) of one to `count` kinds, height x width pixels."""
    scene = sample_scene(rng, height, width, count)
    subjects = [
        replace(subject, noun=noun, colour=colour, wears=wears)
        for subject, (noun, colour, wears) in zip(scene.subjects, _kinds(rng, count), strict=True)
    ]
    background = str(rng.choice(list(EVERY_BACKGROUND)))
    return replace(scene, background=background, subjects=tuple(subjects))


def _kinds(rng: np.random.Generator, count: int) -> list[Kind]:
    """The kind of each subject; equal ones follow each other."""
    sizes = _sizes(rng, count)
    nouns = _nouns(rng, len(sizes))
    colours = list(EVERY_COLOUR)
    if len(sizes) > 1 and len(set(nouns)) == len(nouns) and rng.random() < 0.15:
        chosen = rng.choice(colours, len(sizes))  # colours may repeat where nouns do not
    else:
        chosen = rng.choice(colours, len(sizes), replace=False)
    kinds = [(n, str(c), _sunglasses(rng, n, str(c))) for n, c in zip(nouns, chosen, strict=True)]
    return [kind for kind, size in zip(kinds, sizes, strict=True) for _ in range(size)]


def _sizes(rng: np.random.Generator, count: int) -> list[int]:
    """How many subjects are of each kind: mostly all of one, or each of its own."""
    draw = rng.random()
    if count == 1 or draw < (0.45 if count == 2 else 0.6):  # numbers are learnt from these
        return [count]
    if count == 2 or draw < 0.8:
        return [1] * count
    cuts = np.nonzero(rng.random(count - 1) < 0.5)[0] + 1
    return [int(n) for n in np.diff([0, *cuts, count])]


def _nouns(rng: np.random.Generator, groups: int) -> list[str]:
    """A noun for each kind; now and then only one or two nouns, told apart by their colours."""
    if groups > 1 and rng.random() < 0.3:
        few = rng.choice(list(SUBJECTS), int(rng.integers(1, 3)), replace=False)
        return [str(noun) for noun in rng.choice(few, groups)]
    return [str(noun) for noun in rng.choice(list(SUBJECTS), groups, replace=False)]


def _sunglasses(rng: np.random.Generator, noun: str, colour: str) -> str:
    if noun not in WEARERS or rng.random() > _SUNGLASSES:
        return ""
    others = [c for c in EVERY_COLOUR if c != colour]
    return "black" if colour != "black" and rng.random() < _BLACK_ONES else str(rng.choice(others))
