"""Transformers whose blocks compute self-attention and then cross-attention, as a U-Net's do."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from .....attention_patches.attention.joint import IMAGE, TEXT, KeyPart
from .....attention_patches.methods.shape_variations.method import ShapeVariations
from ..family import Forward, Seen
from .transformer import Transformer


class Apart(Transformer):
    """Self-attention, which is rotated, comes first; nothing but their order tells the two apart."""

    joint = False
    reasons: ClassVar[Mapping[str, str]] = {
        label: why for label, why in Transformer.reasons.items() if label != ShapeVariations.label
    }

    @abstractmethod
    def block_of(self, options: dict[str, Any]) -> tuple[str, int] | None: ...

    def seen(self, options: dict[str, Any], keys: int, forward: Forward) -> Seen | None:
        place = self.block_of(options)
        if place is None:
            return None
        grid = self.grid_of(forward.cells)
        tokens = grid[0] * grid[1]
        forward.visits[place] += 1
        if forward.visits[place] == 1:
            rotary = self._rotary_of(grid, options, forward)
            return Seen((*place, 0), grid, (KeyPart(IMAGE, tokens),), slice(0, tokens), rotary)
        return Seen((*place, 0), grid, (KeyPart(TEXT, forward.text),), slice(0, tokens))
