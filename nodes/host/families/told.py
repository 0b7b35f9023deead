"""Blocks that say nothing of themselves: each is told where it is, in the options that it is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Place = tuple[str, int]  # (name, number) of a block

PLACE = "attention_control_block"
"""Where a block's place travels in its transformer options."""


def told(options: dict[str, Any], blocks: Mapping[str, int]) -> dict[str, Any]:
    """The options of a forward pass in which so many blocks of each name know their places. Counting would
    not do: Skip Layer Guidance leaves out blocks in some passes."""
    replacing = options.get("patches_replace", {})
    replaced = dict(replacing.get("dit", {}))
    for name, count in blocks.items():
        for number in range(count):
            place = (f"{name}_block", number)
            replaced[place] = Told((name, number), replaced.get(place))
    return {**options, "patches_replace": {**replacing, "dit": replaced}}


def place_told(options: Mapping[str, Any]) -> Place | None:
    """The block that is being computed; None before the blocks."""
    return options.get(PLACE)


@dataclass(frozen=True, eq=False)
class Told:
    """A replacement of a block that only tells it its place; one that was there works as before."""

    place: Place
    inner: Callable[..., dict[str, Any]] | None

    def __call__(self, args: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
        options = {**args["transformer_options"], PLACE: self.place}
        args = {**args, "transformer_options": options}
        out = extra["original_block"](args) if self.inner is None else self.inner(args, extra)
        return dict(out)
