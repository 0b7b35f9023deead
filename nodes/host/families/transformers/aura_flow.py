"""AuraFlow: blocks of two streams, then of one, that say nothing of themselves."""

from typing import Any, ClassVar

from comfy.ldm.aura.mmdit import MMDiT

from .....attention_patches.attention.joint import IMAGE, TEXT, KeyPart
from ..blocks.told import place_told, told
from ..family import Forward
from .transformer import Transformer, no_rotations


class AuraFlowFamily(Transformer):
    """Networks of the host's class `MMDiT`. Positions are in what the tokens hold: nothing is rotated."""

    name: ClassVar[str] = "AuraFlow"
    models: ClassVar[str] = "AuraFlow"
    checkpoints: ClassVar[bool] = True
    unplaced = no_rotations("AuraFlow")

    @staticmethod
    def fits(network: Any) -> bool:
        return type(network) is MMDiT

    def blocks(self) -> dict[str, int]:
        return {"double": len(self.network.double_layers), "single": len(self.network.single_layers)}

    def heads(self) -> tuple[int, int]:
        layers = [*self.network.double_layers, *self.network.single_layers]
        return layers[0].attn.n_heads, layers[0].attn.head_dim

    def told(self, options: dict[str, Any]) -> dict[str, Any]:
        return told(options, self.blocks())

    def block_of(self, options: dict[str, Any]) -> tuple[str, int] | None:
        return place_told(options)

    def parts(self, tokens: int, options: dict[str, Any], forward: Forward) -> tuple[KeyPart, ...]:
        registers = KeyPart("registers", self.network.register_tokens.shape[1])
        return registers, KeyPart(TEXT, forward.text), KeyPart(IMAGE, tokens)
