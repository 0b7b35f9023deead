"""Wan, as a model of pictures: videos of one frame, self- and cross-attention apart."""

from typing import Any, ClassVar

from comfy.ldm.wan.model import WanModel, WanT2VCrossAttention

from .....attention_patches.contract.rotary import Rotary
from ..family import Forward
from .apart import Apart
from .transformer import EVERYWHERE, Grid, rows_and_columns


class WanFamily(Apart):
    """Networks of the host's class `WanModel` that read text alone. Reference pictures beside the one that is
    made change the number of tokens, and such calls are left alone."""

    name: ClassVar[str] = "Wan"
    models: ClassVar[str] = "Wan (text to video, one frame)"
    works = EVERYWHERE

    @staticmethod
    def fits(network: Any) -> bool:
        return type(network) is WanModel and type(network.blocks[0].cross_attn) is WanT2VCrossAttention

    def blocks(self) -> dict[str, int]:
        return {"block": len(self.network.blocks)}

    def heads(self) -> tuple[int, int]:
        return self.network.num_heads, self.network.dim // self.network.num_heads

    @property
    def patch(self) -> int:
        patch: int = self.network.patch_size[-1]
        return patch

    def block_of(self, options: dict[str, Any]) -> tuple[str, int] | None:
        return ("block", options["block_index"]) if "block_index" in options else None

    def rotary(self, grid: Grid, options: dict[str, Any], forward: Forward) -> Rotary:
        """The picture stands at (0, row, column)."""
        return Rotary(rows_and_columns(self.network.rope_embedder, options, 1, 2, {}), grid)
