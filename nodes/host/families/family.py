"""What the rest of the adapter asks of an architecture."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

from torch import Tensor

from ....attention_patches.contract.layers import NO_LAYERS, LayerMap, LayerSize, Preset
from ....attention_patches.contract.site import Kind

Enter = Callable[[Kind, Tensor, Tensor, dict[str, Any]], None]
"""Told before an attention is computed: (kind, queries (B, N, C), keys (B, M, C), the host's options)."""


class Residuals(Protocol):
    """Sees, in one forward pass, what blocks add to their shortcuts; a place is (block, number, index)."""

    def wants(self, place: tuple[str, int, int]) -> bool:
        """Whether it should be called at this block."""
        ...

    def __call__(self, h: Tensor) -> Tensor:
        """What the block that was asked for last adds in place of `h` (rows, C, h, w)."""
        ...


class Reached(BaseException):
    """A forward pass has got as far as it is needed. No `except Exception` on the way may stop it."""


class Family(ABC):
    """One network of an architecture."""

    name: ClassVar[str]
    models: ClassVar[str]  # which models these are, for messages

    def __init__(self, network: Any) -> None:
        self.network = network

    @staticmethod
    @abstractmethod
    def fits(network: Any) -> bool:
        """Whether a network is of this family."""

    @abstractmethod
    def layer_map(self) -> LayerMap:
        """The transformer blocks in order of execution."""

    @abstractmethod
    def layer_sizes(self, latent: tuple[int, int]) -> dict[int, LayerSize]:
        """The size of every layer, by ordinal, for latents of (height, width) cells."""

    def residual_map(self) -> LayerMap:
        """The blocks that add a residual to a shortcut, in order of execution; none where nobody can see it.

        A block counts in its place as a transformer block does in the map of layers.
        """
        return NO_LAYERS

    def seen_residuals(self, options: dict[str, Any], residuals: Residuals) -> dict[str, Any]:
        """The options of a forward pass in which these see the blocks of that map."""
        return options

    def presets(self, latent: tuple[int, int]) -> Mapping[str, Preset]:
        """What the methods' authors use on such networks, by the names that the methods choose."""
        return {}

    @abstractmethod
    def marks(self, enter: Enter) -> Mapping[str, Callable[..., Any]]:
        """Patches by the host's names for their places, which change nothing and tell of each attention."""

    @abstractmethod
    def place(self, options: dict[str, Any]) -> tuple[str, int, int] | None:
        """(block, number, index) of the layer that the host is computing."""

    @abstractmethod
    def grid(self, options: dict[str, Any]) -> tuple[int, int]:
        """(height, width) of the tokens, as the host states them; never guessed from their number."""

    @abstractmethod
    def token_slices(self, kind: Kind, keys: int) -> tuple[slice, slice]:
        """(image tokens, text tokens) on the key axis of that many keys."""

    def checkpointed(self, options: dict[str, Any], measured: dict[Any, Tensor]) -> dict[str, Any]:
        """The options of a forward pass with a graph that holds the activations of one layer at a time.

        `measured` is filled on the way; a layer must give what it adds there as outputs of its own, so that
        the graph goes through them. Without such a way the whole graph is held.
        """
        return options
