"""A scene: what stands where, in which colour, style and place; and how scenes are drawn at random."""

from dataclasses import dataclass

import numpy as np

from .vocabulary import BACKGROUNDS, COLOURS, DRAWINGS, STYLES, SUBJECTS

MAX_SUBJECTS = 5
SIZES: tuple[int, ...] = tuple(range(36, 76, 4))  # pixels; sprites are cached at these sizes
_SIZES_FOR_COUNT = {1: (44, 72), 2: (44, 60), 3: (40, 52), 4: (40, 52), 5: (36, 44)}


@dataclass(frozen=True)
class Subject:
    """One drawing, from one of the sets; `left`, `top` and `size` in pixels of its square cell.

    `wears` is the colour of its sunglasses, empty if it has none.
    """

    noun: str
    colour: str
    left: int
    top: int
    size: int
    drawing: str
    wears: str = ""


@dataclass(frozen=True)
class Scene:
    """The ground truth of one picture; later subjects stand in front of earlier ones."""

    height: int
    width: int
    style: str
    background: str
    phase: tuple[float, float]  # where the background's pattern and horizon lie, each 0..1
    subjects: tuple[Subject, ...]

    def groups(self) -> list[tuple[int, str, str]]:
        """(count, colour, noun) of equal subjects, in order of appearance."""
        counts: dict[tuple[str, str], int] = {}
        for subject in self.subjects:
            key = (subject.colour, subject.noun)
            counts[key] = counts.get(key, 0) + 1
        return [(count, colour, noun) for (colour, noun), count in counts.items()]


def sample_scene(rng: np.random.Generator, height: int, width: int, count: int) -> Scene:
    """A random scene of `count` subjects (1 to 5) on a canvas of height x width pixels."""
    if not 1 <= count <= MAX_SUBJECTS:
        raise ValueError(f"count is {count}; a scene has 1 to {MAX_SUBJECTS} subjects")
    identities = _identities(rng, count)
    boxes = _places(rng, height, width, count)
    drawing = str(rng.choice(DRAWINGS))
    return Scene(
        height,
        width,
        style=str(rng.choice(STYLES)),
        background=str(rng.choice(list(BACKGROUNDS))),
        phase=(float(rng.random()), float(rng.random())),
        subjects=tuple(Subject(n, c, *box, drawing) for (n, c), box in zip(identities, boxes, strict=True)),
    )


def _identities(rng: np.random.Generator, count: int) -> list[tuple[str, str]]:
    """(noun, colour) of each subject: pairs differ mostly, larger numbers form one or two groups."""
    if count == 1:
        sizes = [1]
    elif count == 2:
        sizes = [1, 1] if rng.random() < 0.75 else [2]
    else:
        first = count if rng.random() < 0.6 else int(rng.integers(1, count))
        sizes = [first, count - first] if first < count else [count]
    nouns = rng.choice(list(SUBJECTS), len(sizes), replace=False)
    if len(sizes) == 2 and rng.random() < (0.3 if count > 2 else 0.1):
        nouns = nouns[[0, 0]]  # "three orange and two gray cats": one noun, two colours
    same_colour = len(sizes) == 2 and nouns[0] != nouns[1] and rng.random() < 0.1
    colours = rng.choice(list(COLOURS), len(sizes), replace=False)
    if same_colour:
        colours = colours[[0, 0]]
    return [(str(n), str(c)) for n, c, k in zip(nouns, colours, sizes, strict=True) for _ in range(k)]


def _places(rng: np.random.Generator, height: int, width: int, count: int) -> list[tuple[int, int, int]]:
    """(left, top, size) of `count` cells which overlap as little as 60 random tries allow."""
    low, high = _SIZES_FOR_COUNT[count]
    fitting = [s for s in SIZES if low <= s <= min(high, height - 4, width - 4)]
    best: list[tuple[int, int, int]] = []
    least = float("inf")
    for _ in range(60):
        size = int(rng.choice(fitting))
        boxes = [
            (int(rng.integers(0, width - s + 1)), int(rng.integers(0, height - s + 1)), s)
            for s in rng.choice([s for s in fitting if abs(s - size) <= 8], count)
        ]
        overlap = sum(_overlap(a, b) for i, a in enumerate(boxes) for b in boxes[:i])
        if overlap < least:
            best, least = boxes, overlap
        if overlap <= 0.02 * size * size:
            break
    return [(left, top, int(size)) for left, top, size in best]


def _overlap(a: tuple[int, int, int], b: tuple[int, int, int]) -> float:
    """Shared area of two square cells, in pixels."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[2], b[1] + b[2]) - max(a[1], b[1])
    return float(max(width, 0) * max(height, 0))
