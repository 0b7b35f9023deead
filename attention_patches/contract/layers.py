"""The layers of a model, and the small language in which users name them."""

import math
import re
import reprlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise

from .site import Layer, LayerPlace

ALL = "all"
DIGITS = 9  # most of a number
ROWS = 16  # of the maps that authors look at in SD1.5, at 512 pixels; fewer show hardly an outline
_ORDINALS = r"(\d+)(?:\s*-\s*(\d+))?"
_PLACE = r"([a-z_]+)(?:\s+(\d+)(?:\.(\d+)|\s*-\s*(\d+))?)?"


@dataclass(frozen=True)
class LayerSize:
    """The queries of one layer for the run's latents."""

    grid: tuple[int, int]  # (height, width) in tokens
    heads: int
    width: int  # channels of one head

    @property
    def tokens(self) -> int:
        """Of one row."""
        return self.grid[0] * self.grid[1]

    @property
    def numbers(self) -> int:
        """In the queries of one row."""
        return self.tokens * self.heads * self.width


def rows_with_outlines(rows: Collection[int], height: int) -> int:
    """Of a model's grids of so many rows, those in which words have outlines: a quarter of the latents'
    height. Models that do not go down so far, as the demo model, hold no words in their coarsest layers: of
    these the coarsest grid of `ROWS`, or else the finest."""
    quarter = math.ceil(height / 4)
    least = quarter if min(rows) <= quarter else ROWS
    return min((row for row in rows if row >= least), default=max(rows))


@dataclass(frozen=True)
class Preset:
    """What a method's authors use on one kind of model: layers by ordinal, those of self-attention where they
    are others, for guidance the step sizes of the first and of the last guided step, and blocks by their
    ordinal in the map of residuals. `until` is the percent of the schedule at which the method ends."""

    layers: frozenset[int]
    step_sizes: tuple[float, float] = (0.0, 0.0)
    residuals: frozenset[int] = frozenset()
    self_layers: frozenset[int] | None = None
    until: float = 1.0


@dataclass(frozen=True)
class LayerMap:
    """Every transformer block of one model, or every block with a residual, in order of execution."""

    family: str
    layers: tuple[Layer, ...]

    def find(self, block: str, number: int, index: int | None) -> Layer | None:
        """The layer at the host's place, or None where this model has none."""
        return self._by_place.get((block, number, index))

    @cached_property
    def _by_place(self) -> dict[LayerPlace, Layer]:
        return {(layer.block, layer.number, layer.index): layer for layer in self.layers}

    def parse(self, text: str, name: str = "layers") -> frozenset[int]:
        """Ordinals of the layers that `text` names.

        Comma-separated parts: `all`; `input`, `middle`, `output`, or what else this model has, such as
        `double` and `single`; a block such as `output 4`, or several, `double 0-18`; one transformer in it,
        `output 4.1`, all counted from 0 as the host does; an ordinal or an inclusive range of ordinals, `10`
        or `10-20`, counted from 1. Raises ValueError that begins with the name of the
        input, quotes the part it could not use and lists what this model has.
        """
        chosen: set[int] = set()
        for part in text.split(","):
            found = self._parse_part(part.strip())
            if not found:
                raise ValueError(f"{name}: {self._complaint(part.strip(), text.strip())}")
            chosen |= found
        return frozenset(chosen)

    def _parse_part(self, part: str) -> set[int]:
        if part == ALL:
            return {layer.ordinal for layer in self.layers}
        if match := re.fullmatch(_ORDINALS, part):
            first, last = _number(match[1]), _number(match[2] or match[1])
            in_map = 1 <= first <= last <= len(self.layers)
            return set(range(first, last + 1)) if in_map else set()
        if match := re.fullmatch(_PLACE, part):
            block, begin, index, end = match[1], match[2], match[3], match[4]
            blocks = {layer.number for layer in self.layers if layer.block == block}
            ends = (0, max(blocks, default=0)) if begin is None else (_number(begin), _number(end or begin))
            if end is not None and not set(ends) <= blocks:
                return set()
            return {
                layer.ordinal
                for layer in self.layers
                if layer.block == block
                and ends[0] <= layer.number <= ends[1]
                and (index is None or layer.index == _number(index))
            }
        return set()

    def _complaint(self, part: str, text: str) -> str:
        return (
            f"{self._fault(part, text)}. This model ({self.family}) has layers 1-{len(self.layers)}: "
            f"{self.describe()}. Name them as {self._examples()}, separated by commas."
        )

    def _examples(self) -> str:
        if not self.layers:
            return "'all'"
        last = self.layers[-1]
        further = f"{last.block} {last.number}', '{last}" if self.nested else f"{last.block} 0-{last.number}"
        return f"'all', '{last.block}', '{further}', '{last.ordinal}' or '1-{last.ordinal}'"

    def _fault(self, part: str, text: str) -> str:
        """What is wrong with a part of what was written."""
        if not text:
            return "it is empty"
        quoted = reprlib.repr(part) if part == text else f"{reprlib.repr(part)} in {reprlib.repr(text)}"
        if not part:
            return f"there is an empty part in {reprlib.repr(text)}"
        match = re.fullmatch(_ORDINALS, part)
        if match is None:
            return f"no layer matches {quoted}"
        first, last = _number(match[1]), _number(match[2] or match[1])
        if max(first, last) > len(self.layers):
            return f"{quoted} goes beyond the last layer, {len(self.layers)}"
        if min(first, last) < 1:
            return f"{quoted} begins before the first layer, 1"
        return f"{quoted} runs backwards; write '{last}-{first}'"

    def describe(self) -> str:
        """`input 1.0, 2.0; middle 0.0-9`: every block with the transformers in it; `double 0-18` where each
        block is one."""
        return "; ".join(
            f"{block} " + _blocks(block, list(layers))
            for block, layers in groupby(self.layers, key=lambda layer: layer.block)
        )

    @property
    def nested(self) -> bool:
        """Whether transformers are inside of blocks, as in U-Nets, and not the blocks themselves."""
        return all(layer.index is not None for layer in self.layers)

    def named(self, ordinals: Iterable[int]) -> str:
        """Some of the layers, in short: `double 0, 2 .. 18; single 3, 5-7`."""
        chosen = set(ordinals)
        found = [layer for layer in self.layers if layer.ordinal in chosen]
        if self.nested:
            return "; ".join(str(layer) for layer in found)
        return "; ".join(
            f"{block} {_numbers([layer.number for layer in layers])}"
            for block, layers in groupby(found, key=lambda layer: layer.block)
        )


NO_LAYERS = LayerMap("no", ())


def _numbers(numbers: Sequence[int]) -> str:
    """Numbers that rise, runs and even steps of them in short."""
    steps = {after - before for before, after in pairwise(numbers)}
    if len(numbers) > 3 and len(steps) == 1 and steps != {1}:
        return f"{numbers[0]}, {numbers[1]} .. {numbers[-1]}"
    runs = [list(run) for _, run in groupby(enumerate(numbers), key=lambda placed: placed[1] - placed[0])]
    ends = [(run[0][1], run[-1][1]) for run in runs]
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in ends)


def _number(digits: str) -> int:
    """The number, or a large one for more digits than any count of layers has."""
    return int(digits) if len(digits) <= DIGITS else 10**DIGITS


def _blocks(block: str, layers: list[Layer]) -> str:
    if layers[0].index is None:
        first, last = layers[0].number, layers[-1].number
        return f"{first}" if first == last else f"{first}-{last}"
    return ", ".join(_transformers(number, group) for number, group in _by_number(layers))


def _by_number(layers: Iterable[Layer]) -> Iterable[tuple[int, list[Layer]]]:
    for number, group in groupby(layers, key=lambda layer: layer.number):
        yield number, list(group)


def _transformers(number: int, layers: list[Layer]) -> str:
    first, last = layers[0].index, layers[-1].index
    return f"{number}.{first}" if first == last else f"{number}.{first}-{last}"
