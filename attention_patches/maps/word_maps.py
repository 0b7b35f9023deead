"""Maps of words: from the tokens of a prompt to its words."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..text.words import PromptTokens, Word
from .averages import Layers, Slices, cross_map, recorded_layers
from .recorded import AttentionMaps


def word_maps(
    maps: AttentionMaps,
    words: Sequence[Word],
    size: tuple[int, int],
    *,
    image: int = 0,
    role: str = "positive",
    layers: Layers = None,
    slices: Slices = None,
) -> Tensor:
    """(words, height, width) in float32: `cross_map` of each word, the mean over its pieces.

    Raises ValueError if no such layer was recorded, or if a word lies behind the last recorded token.
    """
    for layer in recorded_layers(maps, layers, role, "cross_attention"):
        check_words(words, layer.cross_attention[role].shape[-1])
    pieces = sorted({position for word in words for position in word.positions})
    seen = cross_map(maps, size, tokens=pieces, image=image, role=role, layers=layers, slices=slices)
    own = [seen[[pieces.index(position) for position in word.positions]].mean(0) for word in words]
    return torch.stack(own) if own else seen


def word_columns(maps: AttentionMaps, words: Sequence[Word], role: str = "positive") -> AttentionMaps:
    """The same maps with one column of cross-attention per word: the mean over its pieces and the heads. For
    what is looked at in the size of the layer; `word_maps` enlarges the pieces first.

    Other roles are left out. Raises ValueError if a word lies behind the last recorded token.
    """

    def columns(
        kept: Tensor,
    ) -> Tensor:  # (slices, images, heads, N, tokens) -> (slices, images, 1, N, words)
        check_words(words, kept.shape[-1])
        mean = kept.float().mean(2, keepdim=True)
        return torch.stack([mean[..., list(word.positions)].mean(-1) for word in words], dim=-1)

    return replace(
        maps,
        layers=tuple(
            replace(
                layer, cross_attention={r: columns(x) for r, x in layer.cross_attention.items() if r == role}
            )
            for layer in maps.layers
        ),
    )


def token_words(tokens: int) -> tuple[Word, ...]:
    """Names for the tokens behind the start token where the prompt is not known: token 1, token 2, ..."""
    return tuple(Word(f"token {position}", (position,)) for position in range(1, tokens))


def normalised(maps: Tensor) -> Tensor:
    """(..., h, w), each divided by its maximum."""
    return maps / maps.amax((-2, -1), keepdim=True).clamp(min=torch.finfo(maps.dtype).tiny)


def ranking(maps: Tensor, cell: tuple[int, int]) -> list[int]:
    """Of maps (words, h, w) those that are strongest at a cell (row, column), against their own maximum."""
    order: list[int] = normalised(maps)[:, cell[0], cell[1]].argsort(descending=True, stable=True).tolist()
    return order


def check_length(maps: AttentionMaps, tokens: PromptTokens, role: str = "positive") -> None:
    """Raises ValueError if the text that was recorded is of another length than the prompt gives."""
    kept = [layer.cross_attention[role] for layer in maps.layers if role in layer.cross_attention]
    if kept and tokens.length not in (None, kept[0].shape[-1]):
        raise ValueError(
            f"prompt: it gives {tokens.length} tokens, and the text that was recorded has "
            f"{kept[0].shape[-1]}. Give the very prompt that went to the sampler, encoded by CLIP Text "
            "Encode: words of a text that another node has put together (with pictures in it, or a template "
            "of its own) can't be found. Leave `prompt` empty to see single tokens."
        )


def check_words(words: Sequence[Word], tokens: int) -> None:
    """Raises ValueError if a word lies behind a recorded text of so many tokens."""
    for word in words:
        if max(word.positions) >= tokens:
            raise ValueError(
                f"prompt: {word.text!r} is token {max(word.positions)}, but the text that was recorded has "
                f"only {tokens} tokens. Give the very prompt that went to the sampler."
            )
