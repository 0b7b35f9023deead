"""Prompts with a box for each subject, in the demo model's world."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from attention_control.demo_model.world import BACKGROUNDS, COLOURS, SUBJECTS, sample_scene
from attention_control.demo_model.world.vocabulary import NUMBERS, plural

SIZE = 128
SEED = 7
ANIMALS = list(SUBJECTS)[:12]
COUNTS = (2, 4, 3, 5)  # in the order of a long run
Pixels = tuple[int, int, int, int]


@dataclass(frozen=True)
class Wanted:
    """One subject: `phrase` is in the prompt, `box` is (left, top, right, bottom) in pixels."""

    noun: str
    colour: str
    phrase: str
    box: Pixels


@dataclass(frozen=True)
class Ask:
    """A picture that is asked for; `kind` and the number of subjects make a group of the table."""

    kind: str
    text: str
    background: str
    wanted: tuple[Wanted, ...]

    @property
    def group(self) -> str:
        return f"{self.kind}, {len(self.wanted)}"

    @property
    def lines(self) -> str:
        """The boxes as the nodes' `boxes` input takes them."""
        return "\n".join(
            f"{x} {y} {r - x} {b - y}: {w.phrase}" for w in self.wanted for x, y, r, b in [w.box]
        )


def same_species(rng: np.random.Generator, count: int) -> list[tuple[int, str, str]]:
    """(how many, colour, noun): one noun in as many colours."""
    noun = str(rng.choice(ANIMALS))
    return [(1, str(colour), noun) for colour in rng.choice(list(COLOURS), count, replace=False)]


def different_species(rng: np.random.Generator, count: int) -> list[tuple[int, str, str]]:
    """As many nouns, each in a colour of its own."""
    nouns = rng.choice(list(SUBJECTS), count, replace=False)
    colours = rng.choice(list(COLOURS), count, replace=False)
    return [(1, str(colour), str(noun)) for colour, noun in zip(colours, nouns, strict=True)]


def counted(rng: np.random.Generator, count: int) -> list[tuple[int, str, str]]:
    """One noun in two colours, several boxes sharing a phrase: three ginger and two gray kittens."""
    first = -(-count // 2)
    noun, colours = str(rng.choice(ANIMALS)), rng.choice(list(COLOURS), 2, replace=False)
    return [(n, str(colour), noun) for n, colour in zip((first, count - first), colours, strict=True)]


KINDS = {"same species": same_species, "different species": different_species, "counted": counted}


def asks(each: int) -> Iterator[list[Ask]]:
    """Groups of `each` prompts: every kind with every number of subjects (two of them are not counted)."""
    for count in COUNTS:
        for kind, draw in KINDS.items():
            if (kind, count) != ("counted", 2):
                yield [_ask(kind, count, number, draw) for number in range(each)]


def _ask(kind: str, count: int, number: int, draw: object) -> Ask:
    rng = np.random.default_rng([SEED, list(KINDS).index(kind), count, number])
    groups = draw(rng, count)  # type: ignore[operator]
    boxes = _boxes(rng, count)
    background = str(rng.choice(list(BACKGROUNDS)))
    words = [f"{colour} {plural(noun) if n > 1 else noun}" for n, colour, noun in groups]
    named = " and ".join(f"{_count(n, w)} {w}" for (n, _, _), w in zip(groups, words, strict=True))
    each = [(w, c, noun) for w, (n, c, noun) in zip(words, groups, strict=True) for _ in range(n)]
    return Ask(
        kind,
        f"{named} {BACKGROUNDS[background]}",
        background,
        tuple(Wanted(noun, c, w, box) for (w, c, noun), box in zip(each, boxes, strict=True)),
    )


def _count(number: int, words: str) -> str:
    return NUMBERS[number] if number > 1 else "an" if words[0] in "aeio" else "a"


def _boxes(rng: np.random.Generator, count: int) -> list[Pixels]:
    """Places as in the world's own scenes, of those without overlap, in whole cells of 8 pixels."""
    while True:
        places = [(s.left, s.top, s.size) for s in sample_scene(rng, SIZE, SIZE, count).subjects]
        boxes = [tuple(8 * round(v / 8) for v in (x, y, x + s, y + s)) for x, y, s in places]
        if not any(_meet(a, b) for i, a in enumerate(boxes) for b in boxes[:i]):
            return [(x, y, r, b) for x, y, r, b in boxes]


def _meet(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
