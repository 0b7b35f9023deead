"""The layers of one model."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from .layer import Layer, LayerPlace
from .layer_names import fault_of, ordinals_of
from .short_lists import short_list, short_places


@dataclass(frozen=True)
class LayerMap:
    """Every transformer block of one model, or every block with a residual, in order of execution."""

    family: str
    layers: tuple[Layer, ...]

    def find(self, block: str, number: int, index: int | None) -> Layer | None:
        """The layer at the host's place, or None where this model has none."""
        return self._by_place.get((block, number, index))

    @cached_property
    def _by_place(self) -> dict[LayerPlace, Layer]:
        return {(layer.block, layer.number, layer.index): layer for layer in self.layers}

    def parse(self, text: str, name: str = "layers") -> frozenset[int]:
        """Ordinals of the layers that `text` names.

        Comma-separated parts: `all`; `input`, `middle`, `output`, or what else this model has, such as
        `double` and `single`; a block such as `output 4`, or several, `double 0-18`; one transformer in it,
        `output 4.1`, all counted from 0 as the host does; an ordinal or an inclusive range of ordinals, `10`
        or `10-20`, counted from 1. Raises ValueError that begins with the name of the
        input, quotes the part it could not use and lists what this model has.
        """
        chosen: set[int] = set()
        for part in text.split(","):
            found = ordinals_of(part.strip(), self.layers)
            if not found:
                raise ValueError(f"{name}: {self._complaint(part.strip(), text.strip())}")
            chosen |= found
        return frozenset(chosen)

    def _complaint(self, part: str, text: str) -> str:
        return (
            f"{fault_of(part, text, len(self.layers))}. This model ({self.family}) has layers "
            f"1-{len(self.layers)}: {self.describe()}. Name them as {self._examples()}, separated by commas."
        )

    def _examples(self) -> str:
        if not self.layers:
            return "'all'"
        last = self.layers[-1]
        further = f"{last.block} {last.number}', '{last}" if self.nested else f"{last.block} 0-{last.number}"
        return f"'all', '{last.block}', '{further}', '{last.ordinal}' or '1-{last.ordinal}'"

    def describe(self) -> str:
        """`input 1.0, 2.0; middle 0.0-9`: every block with the transformers in it; `double 0-18` where each
        block is one."""
        return "; ".join(
            f"{block} {short_places(list(layers))}"
            for block, layers in groupby(self.layers, key=lambda layer: layer.block)
        )

    @property
    def nested(self) -> bool:
        """Whether transformers are inside of blocks, as in U-Nets, and not the blocks themselves."""
        return all(layer.index is not None for layer in self.layers)

    def named(self, ordinals: Iterable[int]) -> str:
        """Some of the layers, in short: `double 0, 2 .. 18; single 3, 5-7`."""
        chosen = set(ordinals)
        found = [layer for layer in self.layers if layer.ordinal in chosen]
        if self.nested:
            return "; ".join(str(layer) for layer in found)
        return "; ".join(
            f"{block} {short_list([layer.number for layer in layers])}"
            for block, layers in groupby(found, key=lambda layer: layer.block)
        )


NO_LAYERS = LayerMap("no", ())
