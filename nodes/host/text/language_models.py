"""The words of a prompt that a language model reads: from its tokens to places on the key axis.

These models get a prompt in one chunk. Qwen and Mistral get it inside a template, of which some encoders cut
off the beginning again; T5, Gemma and Llama honour weights, and get the parts between them one by one. A word
owns all tokens that it overlaps. Padding is no word.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers.decoders import ByteFallback, ByteLevel, Fuse
from tokenizers.decoders import Sequence as InTurn

from ....attention_patches.text.pieces import Piece, spaces_of_pieces, words_of_pieces
from ....attention_patches.text.words import PromptTokens, Word

KNOWN = (
    "Flux, Chroma, SD3, Anima, AuraFlow, HiDream, Wan (T5), Z-Image, Flux.2 Klein, Qwen-Image, HunyuanImage, "
    "Krea 2 (Qwen), Lumina 2 (Gemma) and Flux.2 dev (Mistral)"
)
UNFINISHED = "\ufffd"  # what bytes of half a character decode to
SPACE = "\u2581"  # of SentencePiece
PROMPT_START = "<Prompt Start>"  # what the host writes between Lumina's instructions and a prompt
START, USER, LINE = 151644, 872, 198  # Qwen's <|im_start|>, user and a new line


@dataclass(frozen=True)
class Reader:
    """How one stream of tokens becomes words.

    With `cut` the encoder leaves out all before the user's text. With `lengthened` the model fills the text
    up behind, and up to `filled` tokens in front. Where `start` stands in the text, its words come behind it.
    """

    stream: str
    bytewise: bool = False  # symbols stand for bytes, as in Qwen; else for text, as in T5
    cut: bool = False
    lengthened: bool = False
    filled: int = 0
    start: str = ""

    def read(self, clip: Any, prompt: str) -> PromptTokens:
        """The words of a prompt. Raises ValueError for embeddings in it."""
        text, pieces, length = self._pieces(clip, prompt)
        users = self._users(clip, text)
        words = words_of_pieces(text, pieces, users)
        return PromptTokens(prompt, words, length, spaces_of_pieces(pieces, users, words))

    def spelled(self, clip: Any, prompt: str) -> PromptTokens:
        """The same with each piece as a word of its own."""
        text, pieces, length = self._pieces(clip, prompt)
        words = tuple(Word(text[piece.start : piece.end], piece.positions) for piece in pieces)
        return PromptTokens(prompt, words, length)

    def _pieces(self, clip: Any, prompt: str) -> tuple[str, list[Piece], int | None]:
        """What the tokens spell, the pieces of it, and how long the encoded text is if that is known."""
        (chunk,) = clip.tokenize(prompt, return_word_ids=True)[self.stream]
        values = [value for value, _weight, _group in chunk]
        own = [at for at, (_value, _weight, group) in enumerate(chunk) if group]
        if any(not isinstance(values[at], int) for at in own):
            raise ValueError(
                "prompt: words can't be found beside an embedding in the prompt of this text encoder. Take it"
                " out."
            )
        first = self._first(values)
        text, pieces = "", []
        for places in self._together(clip, values, own):
            part = self._text(clip, [values[at] for at in places])
            positions = tuple(at - first for at in places if at >= first)
            if positions:
                pieces.append(Piece(len(text), len(text) + len(part), positions))
            text += part
        return text, pieces, None if self.lengthened else len(chunk) - first

    def values(self, clip: Any, prompt: str) -> dict[int, Any]:
        """The tokens of the text by their places on the key axis, the encoder's own left out."""
        (chunk,) = clip.tokenize(prompt, return_word_ids=True)[self.stream]
        first = self._first([value for value, *_ in chunk])
        found = {at - first: value for at, (value, _weight, group) in enumerate(chunk) if group}
        return {place: value for place, value in found.items() if place >= 0}

    def _first(self, values: Sequence[Any]) -> int:
        """Which token stands at place 0; negative where others are put in front."""
        return _begin_of_user(values) if self.cut else min(len(values) - self.filled, 0)

    def _together(self, clip: Any, values: Sequence[int], own: Sequence[int]) -> Iterator[list[int]]:
        """Tokens one by one, or those together that only together make a character."""
        open_: list[int] = []
        for at in own:
            open_.append(at)
            if UNFINISHED not in self._text(clip, [values[place] for place in open_]):
                yield open_
                open_ = []
        if open_:
            yield open_

    def _text(self, clip: Any, values: Sequence[int]) -> str:
        tokenizer = getattr(clip.tokenizer, self.stream, clip.tokenizer)  # of one stream it is itself
        symbols = [symbol for _, symbol in tokenizer.untokenize([(value, 1.0) for value in values])]
        if self.bytewise:
            return ByteLevel().decode(symbols)
        # characters that SentencePiece has no piece for, byte by byte
        return str(InTurn([ByteFallback(), Fuse()]).decode(symbols)).replace(SPACE, " ")

    def _users(self, clip: Any, text: str) -> slice:
        """The characters that the user has written, without the template round them."""
        before, _, behind = (getattr(clip.tokenizer, "llama_template", None) or "{}").partition("{}")
        if before and text.startswith(before) and text.endswith(behind):
            return slice(len(before), len(text) - len(behind))
        found = text.rfind(self.start) if self.start else -1
        return slice(found + len(self.start) if found >= 0 else 0, len(text))  # a template of the user's own


def _begin_of_user(values: Sequence[Any]) -> int:
    """Where the text that the encoder gives begins, as the host finds it: behind the second start of a turn,
    and behind its heading if this is the user's."""
    starts = [at for at, value in enumerate(values) if value == START][:2]
    first = starts[-1] if starts else -1
    if len(values) > first + 3 and list(values[first + 1 : first + 3]) == [USER, LINE]:
        return first + 3
    return first


T5 = Reader("t5xxl")
LLAMA = Reader("llama", bytewise=True)
FILLED = 512  # tokens that every text of Flux.2 has at least

READERS: Mapping[frozenset[str], Reader] = {
    frozenset({"l", "t5xxl"}): T5,
    frozenset({"t5xxl"}): T5,
    frozenset({"g", "l", "t5xxl"}): T5,
    frozenset({"qwen3_06b", "t5xxl"}): Reader("t5xxl", lengthened=True),
    frozenset({"qwen3_4b"}): Reader("qwen3_4b", bytewise=True),
    frozenset({"qwen3_8b"}): Reader("qwen3_8b", bytewise=True),
    frozenset({"pile_t5xl"}): Reader("pile_t5xl"),
    frozenset({"g", "l", "t5xxl", "llama"}): T5,
    frozenset({"umt5xxl"}): Reader("umt5xxl"),
    frozenset({"gemma2_2b"}): Reader("gemma2_2b", start=PROMPT_START),
    frozenset({"mistral3_24b"}): Reader("mistral3_24b", bytewise=True, filled=FILLED),
    frozenset({"qwen25_7b"}): Reader("qwen25_7b", bytewise=True, cut=True),
    frozenset({"qwen25_7b", "byt5"}): Reader("qwen25_7b", bytewise=True, cut=True),
    frozenset({"qwen3vl_4b"}): Reader("qwen3vl_4b", bytewise=True, cut=True),
}


def reader_of(streams: Mapping[str, Any]) -> Reader | None:
    """How the words of these streams are found, None for CLIP alone and for encoders that nobody knows. Where
    several on the key axis read a prompt, this is who says what its words are."""
    return READERS.get(frozenset(streams))
