"""Where an attention call happens: the layer, the rows of the batch, the part of the picture, the noise
level."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from torch import Tensor

from ..layers.layer import Layer
from .rotary import Rotary

Kind = Literal["self", "cross"]


@dataclass(frozen=True)
class Prompt:
    """What tells one encoded prompt from another: the text a node has encoded, if that is known, and a digest
    of the vectors that came of it."""

    text: str | None
    digest: str

    def same(self, other: "Prompt | None") -> bool:
        """Whether both are one prompt. What other nodes make of the vectors (areas, masks, strengths, further
        text behind it) changes the digest at most, what encodes the same text once more changes neither."""
        if other is None:
            return False
        return self.digest == other.digest or (self.text is not None and self.text == other.text)


@dataclass(frozen=True)
class Window:
    """A part of the run's picture, as fractions of its height and width.

    A part with `right` above 1 goes round: behind the right edge of the picture it goes on at its left edge.
    """

    top: float = 0.0
    left: float = 0.0
    bottom: float = 1.0
    right: float = 1.0

    @property
    def whole(self) -> bool:
        return self == WHOLE_PICTURE


WHOLE_PICTURE = Window()


@dataclass(frozen=True)
class Text:
    """One conditioning of a run, named once by its role and its number there."""

    role: str  # the guider's name for it: "positive", "negative", ...
    entry: int  # which of that role's conditionings, from 0
    tokens: int  # before the host repeated them to the length of other chunks
    prompt: Prompt | None = None
    window: Window = WHOLE_PICTURE  # of its area

    def of(self, prompt: Prompt | None) -> bool:
        """Whether this is the given positive prompt; any positive one, if none is given."""
        return self.role == "positive" and (prompt is None or prompt.same(self.prompt))


@dataclass(frozen=True)
class Rows:
    """Which rows of a batch are which.

    A model call carries one chunk per conditioning, in any order, and every chunk holds the same
    `images` latents in the same order. `sources[c]` is the conditioning of chunk c as the caller counts
    those it passes: 0 positive, 1 negative in classifier-free guidance, but a guidance node's extra pass
    with the negative alone calls that 0. `texts[c]` says it by name, and is None for the extra passes of
    guidance nodes. `windows[c]` is the part of the run's picture that chunk c holds, an area of its text or a
    window, None if its place is not known; without any, every chunk holds the whole picture. Chunks of one
    call may hold different parts, all of one size. `viewed` says that these are windows of a picture of which
    the model sees no more in one call, and not the areas of texts; `shares[c]` (1 or images, h, w) is then
    how much of the picture each cell of chunk c is.
    """

    sources: tuple[int, ...]
    images: int
    texts: tuple[Text | None, ...] = ()
    windows: tuple[Window | None, ...] = ()
    viewed: bool = False
    shares: tuple[Tensor | None, ...] = field(default=(), compare=False, repr=False)

    @property
    def total(self) -> int:
        return len(self.sources) * self.images

    @cached_property
    def chunks(self) -> tuple[slice, ...]:
        """The rows of every chunk."""
        return tuple(slice(c * self.images, (c + 1) * self.images) for c in range(len(self.sources)))

    @property
    def windows_or_whole(self) -> tuple[Window, ...]:
        """The part of the picture that each chunk holds, the whole one where that is not known."""
        windows = self.windows or (None,) * len(self.sources)
        return tuple(WHOLE_PICTURE if window is None else window for window in windows)

    @cached_property
    def by_text(self) -> tuple[tuple[Text, slice, Window | None], ...]:
        """(text, rows, window) of every chunk whose text is known."""
        windows = self.windows or (WHOLE_PICTURE,) * len(self.sources)
        return tuple(
            (text, rows, window)
            for text, rows, window in zip(self.texts, self.chunks, windows, strict=False)
            if text is not None
        )

    def share(self, chunk: slice) -> Tensor | None:
        """Of the chunk of these rows, if it is a view."""
        return self.shares[chunk.start // self.images] if self.shares else None

    def split(self, x: Tensor) -> Tensor:
        """(chunks * images, ...) -> (chunks, images, ...), a view."""
        return x.unflatten(0, (len(self.sources), self.images))

    def all_but(self, image: int) -> tuple[bool, ...]:
        """True for every row except the given image of each chunk."""
        return tuple(row % self.images != image for row in range(self.total))


@dataclass(frozen=True)
class Site:
    """One attention call.

    `image_tokens` and `text_tokens` are slices of the key axis, one of which is empty. `sigma` is the noise
    level of the call, `percent` the same as the host counts the schedule: 0.0 is pure noise, 1.0 the finished
    picture. `rotary` says how the picture's queries and keys were rotated, in self-attention of families
    whose positions are rotations.
    """

    family: str
    kind: Kind
    layer: Layer
    grid: tuple[int, int]  # (height, width) of the queries, in tokens
    image_tokens: slice
    text_tokens: slice
    heads: int
    percent: float
    sigma: float
    rows: Rows
    rotary: Rotary | None = None
