"""A part's concepts in one call of the model."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from .....attention_patches.contract.call.site import Site
from .....attention_patches.contract.concepts import ConceptPart
from .....attention_patches.contract.layers.layer import Layer
from .....attention_patches.contract.layers.layer_size import LayerSize
from .....attention_patches.contract.report import Tally
from ...facts.run_facts import RunFacts
from .model_call import ModelCall


@dataclass(eq=False)
class ConceptsBeside:
    """What a family asks of them, see `Concepts`."""

    facts: RunFacts
    call: ModelCall
    part: ConceptPart
    tally: Tally
    sizes: Mapping[int, LayerSize] = field(init=False)  # by ordinal, in this call

    def __post_init__(self) -> None:
        self.sizes = self.facts.family.layer_sizes(self.call.forward.cells)

    @property
    def vectors(self) -> Tensor:
        return self.part.concepts

    def wants(self, number: int) -> bool:
        layer = self._layer(number)
        return layer is not None and self.part.wants_concepts(layer.ordinal)

    def _layer(self, number: int) -> Layer | None:
        return self.facts.layers.find("double", number, None)

    def __call__(self, number: int, image: Tensor, concepts: Tensor) -> None:
        layer = self._layer(number)
        assert layer is not None
        size = self.sizes[layer.ordinal]
        site = Site(
            family=self.facts.family.name,
            kind="cross",
            layer=layer,
            grid=size.grid,
            image_tokens=slice(0, 0),
            text_tokens=slice(0, concepts.shape[1]),
            heads=size.heads,
            percent=self.facts.schedule.percent(self.call.sigma),
            sigma=self.call.sigma,
            rows=self.call.rows,
        )
        self.tally.touch(site)
        self.part.see(site, image, concepts)
