"""Z-Image and Lumina 2: one stream of blocks, behind refiners of text and picture that are no layers here."""

from typing import Any, ClassVar

from comfy.ldm.lumina.model import NextDiT

from .....attention_patches.attention.joint import IMAGE, TEXT, KeyPart
from .....attention_patches.contract.call.rotary import Rotary
from ..family import Forward
from .transformer import Grid, Transformer, rows_and_columns


class ZImageFamily(Transformer):
    """Networks of the host's class `NextDiT`. Z-Image fills up text and picture with learned tokens to
    multiples of 32; with the captioned reference pictures of its Omni form a call does not add up, and is
    left alone."""

    name: ClassVar[str] = "Z-Image"
    models: ClassVar[str] = "Z-Image and Lumina 2"

    @staticmethod
    def fits(network: Any) -> bool:
        return type(network) is NextDiT

    def blocks(self) -> dict[str, int]:
        return {"single": len(self.network.layers)}

    def heads(self) -> tuple[int, int]:
        return self.network.n_heads, self.network.dim // self.network.n_heads

    def block_of(self, options: dict[str, Any]) -> tuple[str, int] | None:
        return ("single", options["block_index"]) if "block_index" in options else None

    def parts(self, tokens: int, options: dict[str, Any], forward: Forward) -> tuple[KeyPart, ...]:
        every = (
            KeyPart(TEXT, forward.text),
            KeyPart("padding of the text", self._padding(forward.text)),
            KeyPart(IMAGE, tokens),
            KeyPart("padding of the picture", self._padding(tokens)),
        )
        return tuple(part for part in every if part.tokens)

    def _padding(self, tokens: int) -> int:
        multiple = self.network.pad_tokens_multiple
        return -tokens % multiple if multiple else 0

    def rotary(self, grid: Grid, options: dict[str, Any], forward: Forward) -> Rotary:
        """The text stands at (1.., 0, 0), and the picture behind it at (one more, row, column)."""
        behind = forward.text + self._padding(forward.text) + 1
        axes = rows_and_columns(self.network.rope_embedder, _without_time(options), 1, 2, {0: float(behind)})
        return Rotary(axes, grid)


def _without_time(options: dict[str, Any]) -> dict[str, Any]:
    """This network has no shift of its first axis."""
    given = options.get("rope_options") or {}
    return {"rope_options": {name: value for name, value in given.items() if name != "shift_t"}}
