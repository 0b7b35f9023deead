"""Many layers in few words."""

from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise

from .layer import Layer


def short_list(numbers: Sequence[int]) -> str:
    """Numbers that rise, runs and even steps of them in short: `0, 2 .. 18`, `3, 5-7`."""
    steps = {after - before for before, after in pairwise(numbers)}
    if len(numbers) > 3 and len(steps) == 1 and steps != {1}:
        return f"{numbers[0]}, {numbers[1]} .. {numbers[-1]}"
    runs = [list(run) for _, run in groupby(enumerate(numbers), key=lambda placed: placed[1] - placed[0])]
    ends = [(run[0][1], run[-1][1]) for run in runs]
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in ends)


def short_places(layers: Sequence[Layer]) -> str:
    """Where the layers of one block are: `1.0, 2.0` or `0.0-9`; `0-18` where each block is one."""
    if layers[0].index is None:
        first, last = layers[0].number, layers[-1].number
        return f"{first}" if first == last else f"{first}-{last}"
    groups = groupby(layers, key=lambda layer: layer.number)
    return ", ".join(_transformers(number, group) for number, group in groups)


def _transformers(number: int, layers: Iterable[Layer]) -> str:
    indices = [layer.index for layer in layers]
    first, last = indices[0], indices[-1]
    return f"{number}.{first}" if first == last else f"{number}.{first}-{last}"
