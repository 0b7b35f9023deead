"""Qwen-Image and Qwen-Image-Edit: blocks of two streams in which text and picture attend jointly."""

from typing import Any, ClassVar

from comfy.ldm.qwen_image.model import QwenImageTransformer2DModel

from .....attention_patches.contract.call.rotary import Rotary
from ..family import Forward
from .transformer import Grid, Transformer, rows_and_columns
from .transformer_presets import BoundedBlocks


class QwenImageFamily(Transformer):
    """Networks of the host's class `QwenImageTransformer2DModel`."""

    name: ClassVar[str] = "Qwen-Image"
    models: ClassVar[str] = "Qwen-Image"
    checkpoints: ClassVar[bool] = True

    @staticmethod
    def fits(network: Any) -> bool:
        return type(network) is QwenImageTransformer2DModel

    def blocks(self) -> dict[str, int]:
        return {"double": len(self.network.transformer_blocks)}

    def heads(self) -> tuple[int, int]:
        attention = self.network.transformer_blocks[0].attn
        return attention.heads, attention.dim_head

    def bounded_blocks(self) -> BoundedBlocks:
        """Stitch (Bader et al., arXiv 2509.26644) binds regions in all blocks, pixels among themselves
        too."""
        return BoundedBlocks(every=1, pictures=True)

    def rotary(self, grid: Grid, options: dict[str, Any], forward: Forward) -> Rotary:
        """The picture's middle stands at (0, 0, 0); the text goes on along the diagonal."""
        middle = {1: -float(grid[0] // 2), 2: -float(grid[1] // 2)}
        return Rotary(rows_and_columns(self.network.pe_embedder, {}, 1, 2, middle), grid)
