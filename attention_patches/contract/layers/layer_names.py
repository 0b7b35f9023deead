"""The small language in which users name layers: what a part of it means, or what is wrong with it."""

import re
import reprlib
from collections.abc import Sequence

from .layer import Layer

ALL = "all"
DIGITS = 9  # most of a number
_ORDINALS = r"(\d+)(?:\s*-\s*(\d+))?"
_PLACE = r"([a-z_]+)(?:\s+(\d+)(?:\.(\d+)|\s*-\s*(\d+))?)?"


def ordinals_of(part: str, layers: Sequence[Layer]) -> set[int]:
    """Of the layers that one part of a list names; none where there is no such layer."""
    if part == ALL:
        return {layer.ordinal for layer in layers}
    if match := re.fullmatch(_ORDINALS, part):
        first, last = _number(match[1]), _number(match[2] or match[1])
        return set(range(first, last + 1)) if 1 <= first <= last <= len(layers) else set()
    if match := re.fullmatch(_PLACE, part):
        block, begin, index, end = match[1], match[2], match[3], match[4]
        blocks = {layer.number for layer in layers if layer.block == block}
        ends = (0, max(blocks, default=0)) if begin is None else (_number(begin), _number(end or begin))
        if end is not None and not set(ends) <= blocks:
            return set()
        return {
            layer.ordinal
            for layer in layers
            if layer.block == block
            and ends[0] <= layer.number <= ends[1]
            and (index is None or layer.index == _number(index))
        }
    return set()


def fault_of(part: str, text: str, number: int) -> str:
    """What is wrong with a part of what was written, in a model of so many layers."""
    if not text:
        return "it is empty"
    quoted = reprlib.repr(part) if part == text else f"{reprlib.repr(part)} in {reprlib.repr(text)}"
    if not part:
        return f"there is an empty part in {reprlib.repr(text)}"
    match = re.fullmatch(_ORDINALS, part)
    if match is None:
        return f"no layer matches {quoted}"
    first, last = _number(match[1]), _number(match[2] or match[1])
    if max(first, last) > number:
        return f"{quoted} goes beyond the last layer, {number}"
    if min(first, last) < 1:
        return f"{quoted} begins before the first layer, 1"
    return f"{quoted} runs backwards; write '{last}-{first}'"


def _number(digits: str) -> int:
    """The number, or a large one for more digits than any count of layers has."""
    return int(digits) if len(digits) <= DIGITS else 10**DIGITS
