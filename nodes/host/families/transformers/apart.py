"""Transformers whose blocks compute self-attention and then cross-attention, as a U-Net's do."""

from collections.abc import Mapping
from typing import Any, ClassVar

from .....attention_patches.attention.joint import IMAGE, TEXT, KeyPart
from .....attention_patches.methods.shape_variations.method import ShapeVariations
from ..blocks.told import first_told
from ..family import Forward, Seen
from .transformer import Transformer


class Apart(Transformer):
    """Self-attention, which is rotated, comes first; nothing but their order tells the two apart."""

    works: ClassVar[frozenset[str]] = Transformer.works | {ShapeVariations.label}
    joint = False
    reasons: ClassVar[Mapping[str, str]] = {
        label: why for label, why in Transformer.reasons.items() if label != ShapeVariations.label
    }

    def block_of(self, options: dict[str, Any]) -> tuple[str, int] | None:
        return ("block", options["block_index"]) if "block_index" in options else None

    def seen(self, options: dict[str, Any], keys: int, forward: Forward) -> Seen | None:
        place = self.block_of(options)
        if place is None:
            return None
        grid = self.grid_of(forward.cells)
        tokens = grid[0] * grid[1]
        if self._first(place, options, forward):
            rotary = self._rotary_of(grid, options, forward)
            return Seen((*place, None), grid, (KeyPart(IMAGE, tokens),), slice(0, tokens), rotary)
        return Seen((*place, None), grid, (KeyPart(TEXT, forward.text),), slice(0, tokens))

    def _first(self, place: tuple[str, int], options: dict[str, Any], forward: Forward) -> bool:
        """Whether no attention of the block has been computed before. A checkpoint computes a block twice in
        one forward pass, and tells it so."""
        told = first_told(options)
        forward.visits[place] += 1
        return forward.visits[place] == 1 if told is None else told
