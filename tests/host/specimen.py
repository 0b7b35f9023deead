"""A method as the laws see it: how to make it, when it is off, who influences whom, the naive version."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

from attention_control.attention_patches.contract.call.site import Kind
from attention_control.attention_patches.contract.method import Method
from attention_control.attention_patches.contract.schedule import PercentRange
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from torch import Tensor

from .full_size import FULL, full_model
from .naive import Where
from .tiny import tiny_model

IMAGES = 3
SHALLOW, SHALLOW_XL, FLAT = "sd15, shallow", "sdxl, shallow", "sd15, flat"  # shapes of `model`


@dataclass(frozen=True)
class Specimen:
    """`influences[i]`: the images that may change image i of IMAGES. `off`: settings that ask for nothing."""

    name: str
    method: type[Method]
    settings: dict[str, Any]
    influences: tuple[set[int], ...]
    naive: Callable[..., Any] | None = None
    off: tuple[dict[str, Any], ...] = ()
    exact_rows: frozenset[int] = frozenset()  # images that stay as they are, to the bit
    naive_at: Callable[..., Any] | None = None  # (q, k, v, where), if it depends on the place
    kinds: tuple[Kind, ...] = ("self",)  # of attention that the naive version speaks of
    remembers: bool = False  # what it does hangs on what it has seen in the run

    def make(
        self, model: Any, layers: str = "all", during: tuple[float, float] = (0.0, 1.0), **changes: Any
    ) -> Method:
        settings = {**self.settings, **changes}
        if any(field.name == "layers" for field in fields(self.method)):
            settings["layers"] = family_of(model).layer_map().parse(layers)
        return self.method(during=PercentRange(*during), **settings)

    def on(self, model: Any, **how: Any) -> Any:
        """A clone of `model` with the method."""
        return install(model, self.make(model, **how))

    @property
    def has_naive(self) -> bool:
        return self.naive is not None or self.naive_at is not None

    def chunk(self, q: Tensor, k: Tensor, v: Tensor, where: Where) -> Tensor:
        """The naive version of one chunk."""
        if self.naive_at is not None:
            return self.naive_at(q, k, v, where)
        assert self.naive is not None
        return self.naive(q, k, v)

    def broken_as(self, method: type[Method]) -> "Specimen":
        """The same settings on a method with a mistake."""
        return replace(self, method=method)


@cache
def model(shape: str) -> Any:
    """One model a shape for all laws: if a test left something behind, the next would see it."""
    return fresh_model(shape)


def fresh_model(shape: str) -> Any:
    """A model of its own with the weights of `model(shape)`."""
    name, _, layout = shape.partition(", ")
    return full_model() if shape == FULL else tiny_model(name, layout=layout or "small")


def blocks(model: Any) -> list[tuple[str, int]]:
    """The blocks with attention."""
    return sorted({(layer.block, layer.number) for layer in family_of(model).layer_map().layers})
