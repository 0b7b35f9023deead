"""HunyuanImage 2.1: blocks of two streams, then of one, behind a refiner of text that is no layer here."""

from collections.abc import Mapping
from typing import Any, ClassVar

from comfy.ldm.hunyuan_video.model import HunyuanVideo

from .....attention_patches.attention.joint import IMAGE, TEXT, KeyPart
from .....attention_patches.contract.call.rotary import Rotary
from .....attention_patches.maps.recorders.concepts import ConceptRecorder
from ..family import Forward
from .transformer import Grid, Transformer, rows_and_columns

QUOTED = "txt_byt5"  # the host's name for what a prompt has in quotes, read letter by letter


class HunyuanImageFamily(Transformer):
    """Networks of the host's class `HunyuanVideo` that make pictures: their patches have no time. What a
    prompt has in quotes stands behind its text, as a part of its own."""

    name: ClassVar[str] = "HunyuanImage"
    models: ClassVar[str] = "HunyuanImage 2.1"
    checkpoints: ClassVar[bool] = True
    reasons: ClassVar[Mapping[str, str]] = {
        **Transformer.reasons,
        ConceptRecorder.label: (
            "a refiner reads all tokens of its text together, where a concept alone would be a text by "
            "itself, and nobody has published another way"
        ),
    }

    @staticmethod
    def fits(network: Any) -> bool:
        return type(network) is HunyuanVideo and len(network.patch_size) == 2

    def blocks(self) -> dict[str, int]:
        return {"double": len(self.network.double_blocks), "single": len(self.network.single_blocks)}

    def heads(self) -> tuple[int, int]:
        return self.network.num_heads, self.network.hidden_size // self.network.num_heads

    @property
    def patch(self) -> int:
        patch: int = self.network.patch_size[-1]
        return patch

    def parts(self, tokens: int, options: dict[str, Any], forward: Forward) -> tuple[KeyPart, ...]:
        text, image = KeyPart(TEXT, forward.text), KeyPart(IMAGE, tokens)
        quoted = forward.given.get(QUOTED)
        if quoted is None or self.network.byt5_in is None:
            return text, image
        return text, KeyPart("quoted text", quoted.shape[1]), image

    def rotary(self, grid: Grid, options: dict[str, Any], forward: Forward) -> Rotary:
        """The picture stands at (row, column), and all text at (0, 0)."""
        return Rotary(rows_and_columns(self.network.pe_embedder, {}, 0, 1, {}), grid)
