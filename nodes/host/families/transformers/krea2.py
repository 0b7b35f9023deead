"""Krea 2: one stream of blocks, behind a fusion of text that is no layer here."""

from typing import Any, ClassVar

from .....attention_patches.contract.call.rotary import Rotary
from ..family import Forward
from ..host_classes import host_class
from .transformer import Grid, Transformer, rows_and_columns

SingleStreamDiT = host_class("comfy.ldm.krea2.model", "SingleStreamDiT")


class Krea2Family(Transformer):
    """Networks of the host's class `SingleStreamDiT`."""

    name: ClassVar[str] = "Krea 2"
    models: ClassVar[str] = "Krea 2"

    @staticmethod
    def fits(network: Any) -> bool:
        return type(network) is SingleStreamDiT

    def blocks(self) -> dict[str, int]:
        return {"single": len(self.network.blocks)}

    def heads(self) -> tuple[int, int]:
        attention = self.network.blocks[0].attn
        return attention.heads, attention.headdim

    @property
    def patch(self) -> int:
        patch: int = self.network.patch
        return patch

    def rotary(self, grid: Grid, options: dict[str, Any], forward: Forward) -> Rotary:
        """The picture stands at (0, row, column), and all text at (0, 0, 0)."""
        return Rotary(rows_and_columns(self.network.pe_embedder, {}, 1, 2, {}), grid)
