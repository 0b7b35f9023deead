"""What the rest of the adapter asks of an architecture."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from torch import Tensor

from ....attention_patches.attention.joint import KeyPart
from ....attention_patches.contract.call.rotary import Rotary
from ....attention_patches.contract.call.site import Kind
from ....attention_patches.contract.layers.layer import LayerPlace
from ....attention_patches.contract.layers.layer_map import NO_LAYERS, LayerMap
from ....attention_patches.contract.layers.layer_size import LayerSize
from ....attention_patches.contract.layers.preset import Preset
from ....attention_patches.maps.recorders.concepts import ConceptForm
from .blocks.concept_stream import Concepts

INVERSION = "InvertLatent"
"""What works as a method does, and is none: given pictures are followed along their noisy states."""

ANY_SIZE = (64, 64)
"""Latents (height, width) for presets that do not hang on them."""

Enter = Callable[[Kind, Tensor, Tensor, dict[str, Any]], None]
"""Told before an attention is computed: (kind, queries (B, N, C), keys (B, M, C), the host's options)."""


class Residuals(Protocol):
    """Sees, in one forward pass, what blocks add to their shortcuts; a place is (block, number, index)."""

    def wants(self, place: LayerPlace) -> bool:
        """Whether it should be called at this block."""
        ...

    def __call__(self, h: Tensor) -> Tensor:
        """What the block that was asked for last adds in place of `h` (rows, C, h, w)."""
        ...


@dataclass(eq=False)
class Forward:
    """One forward pass, as far as a family has to know it: x is (rows, C, ..., height, width)."""

    cells: tuple[int, int] = (0, 0)  # (height, width) of x
    text: int = 0  # tokens of the text on the key axis
    given: Mapping[str, Any] = field(default_factory=dict)  # by the host's names, beside latents and text
    visits: Counter[Any] = field(default_factory=Counter)  # for families to count
    rotary: Rotary | None = None  # once it is known


@dataclass(frozen=True)
class Seen:
    """An attention call as the function that computes it is told of it: the layer, what its keys are in the
    order of the key axis, and which of its queries are the picture's. Parts of other names than `IMAGE` and
    `TEXT` (padding, reference pictures, registers) are nobody's."""

    place: LayerPlace
    grid: tuple[int, int]
    parts: tuple[KeyPart, ...]
    queries: slice
    rotary: Rotary | None = None  # how the picture's queries and keys have been rotated


class Family(ABC):
    """One network of an architecture."""

    name: ClassVar[str]
    models: ClassVar[str]  # which models these are, for messages
    works: ClassVar[frozenset[str] | None] = None  # which methods work on it, by label; None: all
    reasons: ClassVar[Mapping[str, str]] = {}  # why others do not, by label
    group_norms: ClassVar[bool] = False  # whether it has any
    checkpoints: ClassVar[bool] = False  # whether `checkpointed` makes some
    joint: ClassVar[bool] = False  # whether text and picture share one softmax
    one_grid: ClassVar[bool] = False  # whether all layers have tokens of one size
    unplaced: ClassVar[str | None] = None  # said in the report where shared keys cannot be placed
    unguided: ClassVar[str | None] = None  # why there is no gradient to follow, if there is none

    def __init__(self, network: Any) -> None:
        self.network = network

    @property
    def patch(self) -> int:
        """Cells on a side of one token, where the model has no tokens of other sizes."""
        return 1

    @property
    def concepts(self) -> ConceptForm | None:
        """How concepts are read beside a text; None where nobody has published how."""
        return None

    @classmethod
    def supports(cls, label: str) -> bool:
        """Whether the method of this name works on it."""
        return cls.works is None or label in cls.works

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

    def text_tokens(self, vectors: int, given: Mapping[str, Any]) -> int:
        """How many tokens a text of so many vectors has on the key axis; `given` is what the host has beside
        them, by its names for a conditioning's parts or for the network's inputs."""
        return vectors

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

    def with_concepts(
        self, options: dict[str, Any], concepts: Concepts, cells: tuple[int, int]
    ) -> dict[str, Any]:
        """The options of a forward pass on latents of so many cells in which concepts go beside the text; as
        they are where a family has no such way."""
        return options

    def marks(self, enter: Enter) -> Mapping[str, Callable[..., Any]]:
        """Patches by the host's names for their places, which change nothing and tell of each attention.
        Families without such places say in `seen` what an attention call is."""
        return {}

    def seen(self, options: dict[str, Any], keys: int, forward: Forward) -> Seen | None:
        """What an attention call of so many keys is, of which no mark has told; None if it is nobody's
        (among the tokens of a text alone, in an encoder). The host checks that its parts add up."""
        return None

    def told(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options of a forward pass in which the network says which of its blocks it computes."""
        return options

    def place(self, options: dict[str, Any]) -> LayerPlace | None:
        """(block, number, index) of the layer that the host is computing, if marks tell of it."""
        return None

    def grid(self, options: dict[str, Any]) -> tuple[int, int]:
        """(height, width) of the tokens, as the host states them; never guessed from their number."""
        raise NotImplementedError

    def token_slices(self, kind: Kind, keys: int) -> tuple[slice, slice]:
        """(image tokens, text tokens) on the key axis of that many keys."""
        every, none = slice(0, keys), slice(0, 0)
        return (every, none) if kind == "self" else (none, every)

    def checkpointed(self, options: dict[str, Any], measured: dict[Any, Tensor]) -> dict[str, Any]:
        """The options of a forward pass with a graph that holds the activations of one layer at a time.

        `measured` is filled on the way; a layer must give what it adds there as outputs of its own, so that
        the graph goes through them. Without such a way the whole graph is held.
        """
        return options
