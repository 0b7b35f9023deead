"""Flux.1, Flux.2 and Chroma: blocks of two streams, then of one, in which text and picture attend jointly."""

from collections.abc import Mapping
from typing import Any, ClassVar

from comfy.ldm.chroma.model import Chroma
from comfy.ldm.flux.model import Flux

from .....attention_patches.contract.call.rotary import Rotary
from .....attention_patches.contract.layers.preset import Preset
from .....attention_patches.maps.recorders.concepts import CONCEPTS, ConceptForm, ConceptRecorder
from ..blocks.concept_stream import Concepts, with_concepts
from ..family import Forward
from .transformer import Grid, Transformer, rows_and_columns
from .transformer_presets import BoundedBlocks

SECOND_TEXT = 512  # tokens that every text of Flux.2 has at least


class FluxFamily(Transformer):
    """Networks of the host's class `Flux` or `Chroma`."""

    works = Transformer.works | {ConceptRecorder.label}
    name: ClassVar[str] = "Flux"
    models: ClassVar[str] = "Flux.1, Flux.2 and Chroma"
    checkpoints: ClassVar[bool] = True

    @staticmethod
    def fits(network: Any) -> bool:
        return type(network) in (Flux, Chroma)

    def blocks(self) -> dict[str, int]:
        return {"double": len(self.network.double_blocks), "single": len(self.network.single_blocks)}

    def heads(self) -> tuple[int, int]:
        return self.network.num_heads, self.network.hidden_size // self.network.num_heads

    def text_tokens(self, vectors: int, given: Mapping[str, Any]) -> int:
        """Of Flux.2 the host fills every text up to 512, in front."""
        return max(vectors, SECOND_TEXT) if self.second else vectors

    def best_blocks(self) -> list[tuple[str, int]]:
        """Of Flux.1: Shin et al., ICCV 2025, code of exploring-mmdit."""
        return [("double", number) for number in (18, 17, 12, 14, 11)]

    @property
    def second(self) -> bool:
        """Whether it is a Flux.2."""
        return bool(getattr(getattr(self.network, "params", None), "global_modulation", False))

    @property
    def concepts(self) -> ConceptForm | None:
        """All text of Flux.1 stands at one place; in Flux.2 each token has its own, and a text ends with that
        of the template. Of others of the class, as Ovis-Image and LongCat-Image, nothing is published."""
        if self.second:
            return ConceptForm(token=-2, temperature=1000.0)
        params = getattr(self.network, "params", None)
        others = getattr(params, "txt_norm", False) or getattr(params, "txt_ids_dims", ())
        return None if others else ConceptForm()

    def presets(self, latent: Grid) -> Mapping[str, Preset]:
        """With the blocks that see concepts best (ConceptAttention): 15 to 18 of 19, of Flux.2 5 to 7 of 8,
        of other numbers so large a part at the end."""
        doubles = self.blocks()["double"]
        last = max(round((0.375 if self.second else 0.2) * doubles), 1)
        ordinals = frozenset(range(doubles - last + 1, doubles + 1))
        return {**super().presets(latent), CONCEPTS: Preset(ordinals)}

    def with_concepts(self, options: dict[str, Any], concepts: Concepts, cells: Grid) -> dict[str, Any]:
        height, width = self.grid_of(cells)
        wanted = [number for number in range(self.blocks()["double"]) if concepts.wants(number)]
        if not wanted:
            return options
        form = self.concepts
        assert form is not None, "the recorder has asked"
        return with_concepts(options, self.network, concepts, height * width, form.token, wanted[-1])

    def bounded_blocks(self) -> BoundedBlocks:
        """InvokeAI's regional prompts: every other block of Flux.1, with pixels of regions apart, and all
        of Flux.2."""
        return BoundedBlocks(every=1 if self.second else 2, pictures=True)

    def rotary(self, grid: Grid, options: dict[str, Any], forward: Forward) -> Rotary:
        """The picture stands at (0, row, column), and all text of Flux.1 at (0, 0, 0)."""
        heeded = {} if type(self.network) is Chroma else options
        return Rotary(rows_and_columns(self.network.pe_embedder, heeded, 1, 2, {}), grid)
