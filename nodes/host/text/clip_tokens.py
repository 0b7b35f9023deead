"""The words of a prompt, read from the tokens that the host's CLIP really gives it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from comfy.sd1_clip import escape_important, token_weights, unescape_important
from tokenizers.decoders import ByteLevel
from torch import Tensor

from ....attention_patches.text.readings import side_by_side
from ....attention_patches.text.words import PromptTokens, Word, read_words
from .language_models import KNOWN, LLAMA, reader_of

ENCODERS = {"l", "g", "h"}  # the host's names for CLIP-L, CLIP-G and the CLIP-H of SD2
SD3 = {"g", "l", "t5xxl"}
HIDREAM = {"g", "l", "t5xxl", "llama"}
CHUNK = 77  # tokens of CLIP's
WORD_END = "</w>"
UNFINISHED = "\ufffd"  # what bytes of half a character decode to
EMBEDDING = "\ufffc"  # stands for an embedding in the text
_MENTION = r"(?:(?<=\s)|^)embedding:\s*([^\s<\[]*[^\s<\[,])"


@dataclass(frozen=True)
class Token:
    """One token of the text, not one of the encoder's own (start, end, padding)."""

    position: int  # on the key axis of cross-attention
    value: int | Tensor  # its id, or a vector of an embedding
    group: int  # what the host tokenised in one go


def prompt_tokens(clip: Any, prompt: str) -> PromptTokens:
    """The words of a prompt and where their tokens are, for the CLIP encoders of SD1.5, SD2 and SDXL and for
    those of `language_models`.

    Positions are read off the tokens themselves, so they hold for weights, escapes, embeddings and prompts
    of several chunks. Raises ValueError for other encoders, for embeddings that do not fit, and where two
    encoders differ.
    """
    if clip is None:
        raise ValueError("clip: none arrived; does the checkpoint hold a text encoder? Load CLIP loads one")
    tokens = text_tokens(clip, prompt)
    reader = reader_of(tokens)
    if reader is not None:
        words = reader.read(clip, prompt)
        if tokens.keys() == SD3:
            return _of_sd3(clip, prompt, tokens, words)
        if tokens.keys() == HIDREAM:  # Llama's of its last layer, and of another in each block
            llama = LLAMA.spelled(clip, prompt)
            return side_by_side([words, llama, llama], main=0)
        return words
    if not tokens.keys() <= ENCODERS:
        raise ValueError(
            f"clip: words can be found for the text encoders of SD1.5, SD2, SDXL, {KNOWN}, and this one "
            f"({', '.join(tokens)}) is another. Use such a model."
        )
    return _clip_words(clip, prompt, tokens)


def _clip_words(clip: Any, prompt: str, tokens: Mapping[str, Sequence[Token]]) -> PromptTokens:
    """The words of a prompt that CLIP alone reads."""
    for encoder, stream in tokens.items():
        _refuse_ignored_embeddings(clip, encoder, stream)
    first, *others = tokens.values()
    if any(_outline(other) != _outline(first) for other in others):
        raise ValueError(
            "clip: its text encoders put the words of this prompt at different places, as with an embedding "
            "that has more vectors for one of them. Take the embeddings out of the prompt."
        )
    text, names = _reading(clip, prompt)
    words = read_words(text, _pieces(clip, first))
    if len(names) != sum(word.text == EMBEDDING for word in words):
        raise ValueError("prompt: the embeddings in it can't be told apart; set spaces round them")
    name = iter(names)
    return PromptTokens(
        prompt, tuple(replace(w, text=next(name)) if w.text == EMBEDDING else w for w in words)
    )


def _of_sd3(
    clip: Any, prompt: str, tokens: Mapping[str, Sequence[Token]], second: PromptTokens
) -> PromptTokens:
    """Of SD3: as CLIP's tokens, and behind all of these as T5's, whose words they are. The host makes tokens
    for all three encoders, and the text of those that have been loaded."""
    loaded = [name for name in ("l", "g") if getattr(clip.cond_stage_model, f"clip_{name}") is not None]
    if not loaded:
        return second
    chunks = max(len(clip.tokenize(prompt)[name]) for name in loaded)
    words = _clip_words(clip, prompt, {name: tokens[name] for name in loaded})
    first = replace(words, length=chunks * CHUNK)
    return first if clip.cond_stage_model.t5xxl is None else side_by_side([first, second], main=1)


def text_tokens(clip: Any, text: str) -> dict[str, list[Token]]:
    """The text's tokens for each encoder; group 0 is the encoder's own."""
    streams = {}
    for encoder, chunks in clip.tokenize(text, return_word_ids=True).items():
        if any(len(token) < 3 for chunk in chunks for token in chunk):
            raise ValueError(
                f"clip: the host does not tell the words of this text encoder ({encoder}) apart, as of "
                "LongCat-Image. Use another model."
            )
        every = [(value, group) for chunk in chunks for value, _weight, group in chunk]
        streams[encoder] = [Token(at, value, group) for at, (value, group) in enumerate(every) if group]
    return streams


def _outline(tokens: Sequence[Token]) -> list[tuple[int, int | None]]:
    return [(t.position, t.value if isinstance(t.value, int) else None) for t in tokens]


def _refuse_ignored_embeddings(clip: Any, encoder: str, tokens: Sequence[Token]) -> None:
    """The host leaves out vectors of another width, and what follows moves up."""
    vectors = [token.value for token in tokens if isinstance(token.value, Tensor)]
    if not vectors:
        return
    transformer = getattr(clip.cond_stage_model, f"clip_{encoder}").transformer
    width = transformer.get_input_embeddings().embedding_dim
    for vector in vectors:
        if vector.shape[-1] != width:
            raise ValueError(
                f"prompt: it has an embedding of width {vector.shape[-1]}, made for another kind of model: "
                f"the text encoder {encoder!r} of this one has width {width}. Take it out of the prompt."
            )


def _pieces(clip: Any, tokens: Sequence[Token]) -> list[Word]:
    """The tokens as text, those that only together make a character or an embedding as one piece."""
    pieces: list[Word] = []
    open_: list[Token] = []
    groups = [token.group for token in tokens]
    for token, following in zip_longest(tokens, groups[1:]):
        open_.append(token)
        ended = token.group != following
        if isinstance(token.value, Tensor):
            text = EMBEDDING
        else:
            text = _text(clip, open_)
            ended = ended or UNFINISHED not in text or text.endswith(" ")
        if ended:
            pieces.append(Word(text, tuple(t.position for t in open_)))
            open_ = []
    return pieces


def _text(clip: Any, tokens: Sequence[Token]) -> str:
    """What the ids stand for, with a space where CLIP ends a word."""
    symbols = [symbol for _, symbol in clip.tokenizer.untokenize([(token.value, 1.0) for token in tokens])]
    end = " " if symbols[-1].endswith(WORD_END) else ""
    return ByteLevel().decode([symbol.removesuffix(WORD_END) for symbol in symbols]) + end


def _reading(clip: Any, prompt: str) -> tuple[str, list[str]]:
    """The prompt without weights and escapes, a line for each part of its own, and its embeddings' names."""
    names: list[str] = []

    def loaded(mention: re.Match[str]) -> str:
        escaped = mention[1].replace("(", "\\(").replace(")", "\\)")
        found = next(iter(text_tokens(clip, f"embedding:{escaped}").values()))
        if not found:
            return "\n"  # no such file: the host leaves it out
        if isinstance(found[0].value, int):
            return mention[0]  # an encoder without embeddings reads it as text
        names.append(mention[1])
        return f"\n{EMBEDDING}\n"

    segments = [unescape_important(text) for text, _weight in token_weights(escape_important(prompt), 1.0)]
    return "\n".join(re.sub(_MENTION, loaded, segment) for segment in segments), names
