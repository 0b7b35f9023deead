"""Where an attention call happens: the layer, the rows of the batch, the picture's grid, the noise level."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

Kind = Literal["self", "cross", "joint"]


@dataclass(frozen=True)
class Layer:
    """One transformer block; its self- and cross-attention share the ordinal."""

    ordinal: int  # 1..total, in order of execution
    total: int
    block: str  # the host's name: "input", "middle", "output"
    number: int  # of the block, counted by the host from 0
    index: int  # of the transformer inside the block, from 0

    def __str__(self) -> str:
        return f"{self.block} {self.number}.{self.index}"


@dataclass(frozen=True)
class Text:
    """The conditioning of a chunk, as the sampler's guider holds it."""

    role: str  # the guider's name for it: "positive", "negative", ...
    entry: int  # which of that role's conditionings, from 0
    tokens: int  # before the host repeated them to the length of other chunks


@dataclass(frozen=True)
class Rows:
    """Which rows of a batch are which.

    A model call carries one chunk per conditioning, in any order, and every chunk holds the same
    `images` latents in the same order. `sources[c]` is the conditioning of chunk c as the caller counts
    those it passes: 0 positive, 1 negative in classifier-free guidance, but a guidance node's extra pass
    with the negative alone calls that 0. `texts[c]` says it by name, and is None for the extra passes of
    guidance nodes.
    """

    sources: tuple[int, ...]
    images: int
    texts: tuple[Text | None, ...] = ()

    @property
    def total(self) -> int:
        return len(self.sources) * self.images

    @property
    def chunks(self) -> tuple[tuple[int, slice], ...]:
        """(source, rows) of every chunk."""
        return tuple(
            (source, slice(c * self.images, (c + 1) * self.images)) for c, source in enumerate(self.sources)
        )

    def split(self, x: Tensor) -> Tensor:
        """(chunks * images, ...) -> (chunks, images, ...), a view."""
        return x.unflatten(0, (len(self.sources), self.images))

    def all_but(self, image: int) -> tuple[bool, ...]:
        """True for every row except the given image of each chunk."""
        return tuple(row % self.images != image for row in range(self.total))


@dataclass(frozen=True)
class Site:
    """One attention call.

    `image_tokens` and `text_tokens` are slices of the key axis; one of them is empty unless the kind is
    "joint". `progress` is the fraction of this run's steps done, `sigma` the noise level of the call, `time`
    the same on the model's own scale, 1 for pure noise.
    """

    family: str
    kind: Kind
    layer: Layer
    grid: tuple[int, int]  # (height, width) of the queries, in tokens
    image_tokens: slice
    text_tokens: slice
    heads: int
    progress: float
    sigma: float
    time: float
    rows: Rows
