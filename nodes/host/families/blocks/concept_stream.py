"""Concepts as a further text in the blocks of two streams of Flux: they read, and are not read.

A block is computed once more for them, with the concepts in the place of its text and the same picture. Of
that only what the concepts get is used; the picture's queries are left out of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from .replaced_blocks import Place, Replacement, with_replaced

ALONE: dict[str, Any] = {"patches": {}, "patches_replace": {}}  # options of the further look
OVERRIDE = "optimized_attention_override"
BlockCall = Callable[[dict[str, Any]], dict[str, Any]]


class Concepts(Protocol):
    """Who has concepts in a forward pass."""

    @property
    def vectors(self) -> Tensor:
        """(m, width): one of the text encoder for each."""
        ...

    def wants(self, number: int) -> bool:
        """Whether to tell of this block."""
        ...

    def __call__(self, number: int, image: Tensor, concepts: Tensor) -> None:
        """What attention gives the picture's tokens (B, N, C) and the concepts (B, m, C) in this block."""
        ...


@dataclass(eq=False)
class Stream:
    """The concepts in one forward pass: what they are before the next block, (B, m, C)."""

    network: Any
    concepts: Concepts
    tokens: int  # of the picture
    place: int  # among the text's tokens, where all concepts stand; negative from the end
    state: Tensor | None = None

    def block(
        self, number: int, args: dict[str, Any], call: BlockCall, original: BlockCall
    ) -> dict[str, Any]:
        """A block as `call` computes it, beside which the concepts read what is in it."""
        text = args["txt"].shape[1]
        concepts = self._through(args, original, text)
        if not self.concepts.wants(number):
            return call(args)
        options = args["transformer_options"]
        kept: list[Tensor] = []
        own = options.get(OVERRIDE)

        def keep(func: Any, *rest: Any, **named: Any) -> Tensor:
            out: Tensor = func(*rest, **named) if own is None else own(func, *rest, **named)
            kept.append(out[:, text : text + self.tokens])
            return out

        out = call({**args, "transformer_options": {**options, OVERRIDE: keep}})
        if kept:  # none in a block that another patch skips
            self.concepts(number, kept[0], concepts)
        return out

    def _through(self, args: dict[str, Any], original: BlockCall, text: int) -> Tensor:
        """Take the concepts through a block; gives what they get from its attention."""
        if self.state is None:
            given = self.concepts.vectors[None].to(args["txt"])
            self.state = self.network.txt_in(given).expand(len(args["img"]), -1, -1)
        count, pe = self.state.shape[1], args["pe"]
        got: list[Tensor] = []

        def only_concepts(func: Any, q: Tensor, *rest: Any, **named: Any) -> Tensor:
            out: Tensor = func(q[:, :, :count], *rest, **named)
            got.append(out)
            return torch.cat([out, out.new_zeros(len(out), q.shape[2] - count, out.shape[-1])], 1)

        options = {**args["transformer_options"], **ALONE, OVERRIDE: only_concepts}
        place = self.place % text
        there = pe[:, :, place : place + 1].expand(-1, -1, count, *pe.shape[3:])
        further = {
            "img": args["img"].clone(),  # blocks add to it in place
            "txt": self.state.clone(),
            "pe": torch.cat([there, pe[:, :, text:]], 2),
            "attn_mask": None,
            "transformer_options": options,
        }
        self.state = original({**args, **further})["txt"]
        concepts: Tensor = got[0]
        return concepts


@dataclass(frozen=True, eq=False)
class WithConcepts:
    """A replacement of a block through which concepts go; one that was there works as before."""

    stream: Stream
    number: int
    inner: Replacement | None

    def __call__(self, args: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
        original, inner = extra["original_block"], self.inner

        def call(args: dict[str, Any]) -> dict[str, Any]:
            return dict(original(args) if inner is None else inner(args, extra))

        return self.stream.block(self.number, args, call, original)


def with_concepts(
    options: dict[str, Any], network: Any, concepts: Concepts, tokens: int, place: int, last: int
) -> dict[str, Any]:
    """The options of a forward pass in which concepts go through the double blocks up to the last of them."""
    stream = Stream(network, concepts, tokens, place)

    def make(place: Place, inner: Replacement | None) -> WithConcepts:
        return WithConcepts(stream, place[1], inner)

    return with_replaced(options, [("double_block", number) for number in range(last + 1)], make)
