"""Cosmos-Predict2 and Anima: self- and cross-attention apart, as in a U-Net, in blocks of one grid."""

from collections.abc import Mapping
from typing import Any, ClassVar

from comfy.ldm.anima.model import Anima
from comfy.ldm.cosmos.predict2 import MiniTrainDIT

from .....attention_patches.contract.call.rotary import Axis, Rotary
from ..family import Forward
from .apart import Apart
from .transformer import Grid
from .transformer_presets import BoundedBlocks

ANIMA_TEXT = 512  # tokens that every text of Anima has at least


class CosmosFamily(Apart):
    """Networks of the host's class `MiniTrainDIT` or `Anima`."""

    name: ClassVar[str] = "Anima"
    models: ClassVar[str] = "Anima and Cosmos-Predict2"

    @staticmethod
    def fits(network: Any) -> bool:
        return type(network) in (MiniTrainDIT, Anima)

    def blocks(self) -> dict[str, int]:
        return {"block": len(self.network.blocks)}

    def heads(self) -> tuple[int, int]:
        return self.network.num_heads, self.network.model_channels // self.network.num_heads

    @property
    def patch(self) -> int:
        patch: int = self.network.patch_spatial
        return patch

    def text_tokens(self, vectors: int, given: Mapping[str, Any]) -> int:
        """Anima reads a prompt by Qwen's vectors at T5's tokens, and the host fills these up to 512."""
        ids = given.get("t5xxl_ids")
        return vectors if ids is None else max(ids.shape[-1], ANIMA_TEXT)

    def bounded_blocks(self) -> BoundedBlocks:
        """Words by cross-attention of their own, as in U-Nets; nobody has published any bounds here."""
        return BoundedBlocks(every=1, pictures=False)

    def rotary(self, grid: Grid, options: dict[str, Any], forward: Forward) -> Rotary:
        """The picture stands at (0, row, column); a pair is a channel of each half."""
        positions = self.network.pos_embedder
        width = self.heads()[1]
        spatial = width // 6 * 2
        thetas = (
            10000.0 * factor
            for factor in (positions.t_ntk_factor, positions.h_ntk_factor, positions.w_ntk_factor)
        )
        time, rows, columns = thetas
        axes = (
            Axis(width - 2 * spatial, time),
            Axis(spatial, rows, by_row=1.0),
            Axis(spatial, columns, by_column=1.0),
        )
        return Rotary(axes, grid, halves=True)
