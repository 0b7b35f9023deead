"""Blocks that say nothing of themselves: each is told where it is, in the options that it is given."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .replaced_blocks import Replacement, with_replaced

PLACE = "attention_control_block"
"""Where a block's place travels in its transformer options."""

CALLS = "attention_control_calls"
"""Where the attentions that a block has computed are counted, anew each time that it is computed."""


def told(options: dict[str, Any], blocks: Mapping[str, int]) -> dict[str, Any]:
    """The options of a forward pass in which so many blocks of each name know their places. Counting would
    not do: Skip Layer Guidance leaves out blocks in some passes."""
    names = {(f"{name}_block", n): (name, n) for name, count in blocks.items() for n in range(count)}
    return with_replaced(options, names, lambda place, inner: Told(names[place], inner))


def place_told(options: Mapping[str, Any]) -> tuple[str, int] | None:
    """(name, number) of the block that is being computed; None before the blocks."""
    return options.get(PLACE)


def first_told(options: Mapping[str, Any]) -> bool | None:
    """Whether this is the first attention of its block; None if the block was not told. To be asked once in
    each."""
    calls: Counter[str] | None = options.get(CALLS)
    if calls is None:
        return None
    calls[PLACE] += 1
    return calls[PLACE] == 1


@dataclass(frozen=True, eq=False)
class Told:
    """A replacement of a block that only tells it its place; one that was there works as before."""

    name: tuple[str, int]  # as the family has it
    inner: Replacement | None

    def __call__(self, args: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
        options = {**args["transformer_options"], PLACE: self.name, CALLS: Counter()}
        args = {**args, "transformer_options": options}
        out = extra["original_block"](args) if self.inner is None else self.inner(args, extra)
        return dict(out)
