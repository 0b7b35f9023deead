"""HiDream-I1: blocks of two streams, then of one, that read three texts behind the picture."""

from collections.abc import Mapping
from typing import Any, ClassVar

from comfy.ldm.hidream.model import HiDreamImageTransformer2DModel

from .....attention_patches.attention.joint import IMAGE, TEXT, KeyPart
from .....attention_patches.contract.call.rotary import Rotary
from .....attention_patches.methods.layout_guidance import LayoutGuidance
from ..family import Forward, Seen
from .transformer import WITHOUT_GRADIENTS, Grid, Transformer, queries_of, rows_and_columns

LLAMA = ("encoder_hidden_states_llama3", "conditioning_llama3")
"""The host's names for what Llama reads, (rows, layers, tokens, width): for the network, and in a
conditioning."""


class HiDreamFamily(Transformer):
    """Networks of the host's class `HiDreamImageTransformer2DModel`.

    A prompt is there three times, one behind the other: as T5 reads it, as Llama's last layer does, and as
    another layer of Llama does in each block. All three are its text, so a word has tokens in each of them.
    Blocks say nothing of themselves, and nothing can leave one out, so they are counted. HiDream-E1, which
    has a second picture among the tokens, is left alone. Each token goes to the experts that fit it best,
    which is a step: there is no gradient to follow.
    """

    name: ClassVar[str] = "HiDream"
    models: ClassVar[str] = "HiDream-I1"
    works = WITHOUT_GRADIENTS
    unguided = (
        "its tokens go to the experts that fit them best, and where they change to others there is no "
        "gradient to follow"
    )
    reasons: ClassVar[Mapping[str, str]] = {**Transformer.reasons, LayoutGuidance.label: unguided}

    @staticmethod
    def fits(network: Any) -> bool:
        return type(network) is HiDreamImageTransformer2DModel

    def blocks(self) -> dict[str, int]:
        network = self.network
        return {"double": len(network.double_stream_blocks), "single": len(network.single_stream_blocks)}

    def heads(self) -> tuple[int, int]:
        return self.network.num_attention_heads, self.network.attention_head_dim

    def seen(self, options: dict[str, Any], keys: int, forward: Forward) -> Seen | None:
        number, doubles = forward.visits["blocks"], self.blocks()["double"]
        forward.visits["blocks"] += 1
        place = ("double", number) if number < doubles else ("single", number - doubles)
        grid = self.grid_of(forward.cells)
        parts = self.parts(grid[0] * grid[1], options, forward)
        return Seen((*place, None), grid, parts, queries_of(parts), self._rotary_of(grid, options, forward))

    def parts(self, tokens: int, options: dict[str, Any], forward: Forward) -> tuple[KeyPart, ...]:
        return KeyPart(IMAGE, tokens), KeyPart(TEXT, forward.text)

    def text_tokens(self, vectors: int, given: Mapping[str, Any]) -> int:
        """T5's, and Llama's twice."""
        llama = next((given[name] for name in LLAMA if given.get(name) is not None), None)
        return vectors if llama is None else vectors + 2 * llama.shape[-2]

    def rotary(self, grid: Grid, options: dict[str, Any], forward: Forward) -> Rotary | None:
        """The picture stands at (0, row, column), and all text at (0, 0, 0)."""
        axes = rows_and_columns(self.network.pe_embedder, {}, 1, 2, {})
        # where the axes have half of the channels, the others are not rotated
        return Rotary(axes, grid) if sum(axis.channels for axis in axes) == self.heads()[1] else None
