"""A prompt in other words: without a thing's attributes, with another word for it, or with an attribute of
another thing."""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence

from .named_things import NamedThing
from .words import PromptTokens, Word

_EMPTY_GROUP = r"\(\s*(?::\s*[-+.\d]*\s*)?\)"  # (red cat:1.2) without its words
_WEIGHT = r":\s*[-+.\d]+\s*(?=\))"  # of (red cat:1.2)
_EMBEDDING = r"(?i)embedding:\s*"


def plain(tokens: PromptTokens) -> str:
    """The prompt itself, with single spaces, as all others here have them."""
    return _rewritten(tokens, {})


def bare(tokens: PromptTokens, thing: NamedThing) -> str:
    """The prompt without a thing's attributes: `a cat and a blue dog` of `a red cat and a blue dog`. Raises
    ValueError as `lent` does."""
    return _rewritten(tokens, dict.fromkeys(_numbers(tokens, thing.attributes), ""))


def instead(tokens: PromptTokens, thing: NamedThing, word: str) -> str:
    """The prompt with a word in place of a thing and its attributes: `a red cat and a WORD`. Raises
    ValueError as `lent` does."""
    noun = _numbers(tokens, [thing.noun])
    others = {number: "" if number - 1 in noun else word for number in noun}  # once for `t-shirt`
    return _rewritten(tokens, dict.fromkeys(_numbers(tokens, thing.attributes), "") | others)


def lent(tokens: PromptTokens, attribute: Word, thing: NamedThing) -> str:
    """The prompt in which a thing has another one's attribute in place of its own: `a red cat and a red dog`
    of `a red cat and a blue dog`.

    Raises ValueError where the encoder reads a word in other letters than the prompt has.
    """
    noun = min(_numbers(tokens, [thing.noun]))
    said = " ".join(tokens.words[number].text for number in sorted(_numbers(tokens, [attribute])))
    others = dict.fromkeys(_numbers(tokens, thing.attributes), "")
    return _rewritten(tokens, others | {noun: f"{said} {tokens.words[noun].text}"})


def _numbers(tokens: PromptTokens, words: Collection[Word]) -> set[int]:
    """Which of the prompt's words these are."""
    positions = {position for word in words for position in word.positions}
    return {number for number, word in enumerate(tokens.words) if positions.issuperset(word.positions)}


def _rewritten(tokens: PromptTokens, others: Mapping[int, str]) -> str:
    """The prompt with other texts in the places of some words, by their numbers."""
    text, following, at = unicodedata.normalize("NFC", tokens.prompt), "", 0
    places = _places(text, tokens.words)
    for number in sorted(others):
        if number not in places:
            read = tokens.words[number].text
            raise ValueError(
                f"prompt: the text encoder reads {read!r}, which does not stand there so; write the word in "
                "letters that the encoder knows, or leave it out in `words`"
            )
        following += text[at : places[number].start] + others[number]
        at = places[number].stop
    return " ".join(re.sub(_EMPTY_GROUP, "", following + text[at:]).split())


def _places(text: str, words: Sequence[Word]) -> dict[int, slice]:
    """Where words stand in their text, with `embedding:` before them, by their numbers; those that it has in
    other letters are left out."""
    hidden = text
    for unread in (_WEIGHT, _EMBEDDING):  # most encoders read neither as words
        hidden = re.sub(unread, lambda found: " " * len(found[0]), hidden)
    places = _found(text, words)
    if len(places) < len(words):
        places = _found(hidden, words)
    return {number: _with_mark(text, place) for number, place in places.items()}


def _found(text: str, words: Sequence[Word]) -> dict[int, slice]:
    """Words one after the other, each whole and with no other between it and the one before; behind one that
    is not found the next place of the following one will do, if it is no mere punctuation."""
    places: dict[int, slice] = {}
    at, lost = 0, False
    for number, word in enumerate(words):
        starts = (m.start() for m in re.finditer(re.escape(word.text), text[at:]))
        start = next((at + s for s in starts if _whole(text, at + s, word.text)), -1)
        near = start >= 0 and not any(map(str.isalnum, text[at:start]))
        if not near and (start < 0 or not lost or not any(map(str.isalnum, word.text))):
            lost = True
            continue
        places[number] = slice(start, start + len(word.text))
        at, lost = places[number].stop, False
    return places


def _whole(text: str, start: int, word: str) -> bool:
    """Whether a word of ASCII letters is not a part of a longer one there."""
    around = text[max(start - 1, 0) : start], text[start + len(word) : start + len(word) + 1]
    edges = zip((word[0], word[-1]), around, strict=True)
    return not any(
        edge.isascii() and edge.isalpha() and out.isascii() and out.isalpha() for edge, out in edges
    )


def _with_mark(text: str, place: slice) -> slice:
    before = re.search(_EMBEDDING + "$", text[: place.start])
    return slice(before.start(), place.stop) if before else place
