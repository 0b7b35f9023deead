"""SD3 and SD3.5: joint blocks that say nothing of themselves, so each is told where it is."""

from collections.abc import Mapping
from typing import Any, ClassVar

from comfy.ldm.modules.diffusionmodules.mmdit import OpenAISignatureMMDITWrapper
from torch import Tensor

from .....attention_patches.attention.joint import IMAGE, TEXT, KeyPart
from .....attention_patches.maps.recorders.concepts import ConceptRecorder
from ..blocks.block_checkpoints import Block, checkpointed_blocks
from ..blocks.replaced_blocks import Place
from ..blocks.told import place_told, told
from ..family import Forward, Seen
from .transformer import Transformer, no_rotations
from .transformer_presets import BoundedBlocks


class SD3Family(Transformer):
    """Networks of the host's class `OpenAISignatureMMDITWrapper`.

    The second attention of SD3.5's first blocks, of the picture alone, stays as it is. Positions are in what
    the tokens hold: nothing is rotated.
    """

    name: ClassVar[str] = "SD3"
    models: ClassVar[str] = "SD3 and SD3.5"
    checkpoints: ClassVar[bool] = True
    unplaced = no_rotations("SD3")
    reasons: ClassVar[Mapping[str, str]] = {
        **Transformer.reasons,
        ConceptRecorder.label: (
            "its authors' code for SD3 reads all concepts as one text of a token each, and that "
            "form is not built here"
        ),
    }

    @staticmethod
    def fits(network: Any) -> bool:
        return type(network) is OpenAISignatureMMDITWrapper

    def blocks(self) -> dict[str, int]:
        return {"double": len(self.network.joint_blocks)}

    def heads(self) -> tuple[int, int]:
        attention = self.network.joint_blocks[0].x_block.attn
        return attention.num_heads, attention.head_dim

    def best_blocks(self) -> list[tuple[str, int]]:
        """Of SD3 and SD3.5 medium, and of SD3.5 large with its 38 blocks: Shin et al., ICCV 2025, as for
        Flux."""
        blocks = self.network.joint_blocks
        medium = (7, 9, 8, 5, 10) if blocks[0].x_block.x_block_self_attn else (7, 8, 5, 4, 9)
        best = (18, 21, 20, 24, 16) if len(blocks) > 24 else medium
        return [("double", number) for number in best]

    def bounded_blocks(self) -> BoundedBlocks:
        """As on Qwen-Image."""
        return BoundedBlocks(every=1, pictures=True)

    def told(self, options: dict[str, Any]) -> dict[str, Any]:
        return told(options, self.blocks())

    def checkpointed(self, options: dict[str, Any], measured: dict[Any, Tensor]) -> dict[str, Any]:
        """The host's function for a replaced block has a checkpoint of its own, which forgets how gradients
        are taken here; so the block itself is asked."""
        places = [("double_block", number) for number in range(len(self.network.joint_blocks))]
        return checkpointed_blocks(options, measured, places, self._block)

    def _block(self, place: Place) -> Block:
        joint = self.network.joint_blocks[place[1]]

        def block(args: dict[str, Any]) -> dict[str, Any]:
            text, image = joint(
                args["txt"],
                args["img"],
                c=args["vec"],
                use_checkpoint=False,
                transformer_options=args["transformer_options"],
            )
            return {"txt": text, "img": image}

        return block

    def block_of(self, options: dict[str, Any]) -> tuple[str, int] | None:
        return place_told(options)

    def seen(self, options: dict[str, Any], keys: int, forward: Forward) -> Seen | None:
        height, width = self.grid_of(forward.cells)
        return None if keys == height * width else super().seen(options, keys, forward)

    def parts(self, tokens: int, options: dict[str, Any], forward: Forward) -> tuple[KeyPart, ...]:
        every = (
            KeyPart("registers", self.network.register_length),
            KeyPart(TEXT, forward.text),
            KeyPart(IMAGE, tokens),
        )
        return tuple(part for part in every if part.tokens)
