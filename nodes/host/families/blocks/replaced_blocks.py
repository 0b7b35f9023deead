"""Replacements of blocks, where the host lets others put some: each made of what stood in its place."""

from collections.abc import Callable, Iterable
from typing import Any

Place = tuple[str, int]
"""The host's name for a kind of block, and its number."""

Replacement = Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]
"""Called with a block's arguments and {"original_block": the block itself}; gives what the block would."""


def with_replaced(
    options: dict[str, Any], places: Iterable[Place], make: Callable[[Place, Replacement | None], Replacement]
) -> dict[str, Any]:
    """The options of a forward pass in which the blocks at these places are replaced by what `make` gives for
    the place and for what another pack has put there, if any."""
    replacing = options.get("patches_replace", {})
    blocks = dict(replacing.get("dit", {}))
    for place in places:
        blocks[place] = make(place, blocks.get(place))
    return {**options, "patches_replace": {**replacing, "dit": blocks}}
