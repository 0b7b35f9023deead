"""Wan, as a model of pictures: videos of one frame, self- and cross-attention apart."""

from typing import Any, ClassVar

from comfy.ldm.wan.model import WanModel, WanT2VCrossAttention
from torch import Tensor

from .....attention_patches.contract.call.rotary import Rotary
from ..blocks.block_checkpoints import checkpointed_blocks
from ..blocks.told import told
from ..family import Forward
from .apart import Apart
from .transformer import Grid, rows_and_columns
from .transformer_presets import BoundedBlocks


class WanFamily(Apart):
    """Networks of the host's class `WanModel` that read text alone. Reference pictures beside the one that is
    made change the number of tokens, and such calls are left alone."""

    name: ClassVar[str] = "Wan"
    models: ClassVar[str] = "Wan (text to video, one frame)"
    checkpoints: ClassVar[bool] = True

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

    def checkpointed(self, options: dict[str, Any], measured: dict[Any, Tensor]) -> dict[str, Any]:
        blocks = len(self.network.blocks)
        places = [("double_block", number) for number in range(blocks)]
        return checkpointed_blocks(told(options, {"double": blocks}), measured, places)

    def bounded_blocks(self) -> BoundedBlocks:
        """As on Cosmos: words by cross-attention of their own."""
        return BoundedBlocks(every=1, pictures=False)

    def rotary(self, grid: Grid, options: dict[str, Any], forward: Forward) -> Rotary:
        """The picture stands at (0, row, column)."""
        return Rotary(rows_and_columns(self.network.rope_embedder, options, 1, 2, {}), grid)
