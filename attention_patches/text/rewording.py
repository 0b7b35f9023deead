"""A prompt in other words: without a thing that it names, without what is said of it, or with an attribute of
another thing."""

import re
import unicodedata
from collections.abc import Collection, Sequence

from .named_things import NamedThing
from .words import PromptTokens, Word

_EMPTY_GROUP = r"\(\s*(?::\s*[-+.\d]*\s*)?\)"  # (red cat:1.2) without its words


def without(tokens: PromptTokens, thing: NamedThing) -> str:
    """The prompt without a thing, its attributes and the fillers before it: `a red cat` of `a red cat and a
    blue dog`. Raises ValueError as `lent` does."""
    leaving = _numbers(tokens, thing.words)
    fillers = _numbers(tokens, tokens.filler_words())
    for number in sorted(leaving):
        while number - 1 in fillers:
            number -= 1
            leaving.add(number)
    return _rewritten(tokens, leaving)


def bare(tokens: PromptTokens, thing: NamedThing) -> str:
    """The prompt without a thing's attributes: `a cat and a blue dog` of `a red cat and a blue dog`. Raises
    ValueError as `lent` does."""
    return _rewritten(tokens, _numbers(tokens, thing.attributes))


def lent(tokens: PromptTokens, attribute: Word, thing: NamedThing) -> str:
    """The prompt in which a thing has another one's attribute in place of its own: `a red cat and a red dog`
    of `a red cat and a blue dog`.

    Raises ValueError where the encoder reads other letters than the prompt has.
    """
    noun = min(_numbers(tokens, [thing.noun]))
    return _rewritten(tokens, _numbers(tokens, thing.attributes), {noun: attribute.text})


def _numbers(tokens: PromptTokens, words: Collection[Word]) -> set[int]:
    """Which of the prompt's words these are."""
    positions = {position for word in words for position in word.positions}
    return {number for number, word in enumerate(tokens.words) if positions.issuperset(word.positions)}


def _rewritten(tokens: PromptTokens, leaving: Collection[int], before: dict[int, str] | None = None) -> str:
    """Without some words, by their numbers, and with further ones before some."""
    text, following, at = unicodedata.normalize("NFC", tokens.prompt), "", 0
    for number, place in enumerate(_places(text, tokens.words)):
        following += text[at : place.start]
        following += f"{before[number]} " if before and number in before else ""
        following += "" if number in leaving else text[place]
        at = place.stop
    return " ".join(re.sub(_EMPTY_GROUP, "", following + text[at:]).split())


def _places(text: str, words: Sequence[Word]) -> list[slice]:
    """Where each word of the prompt stands in its text."""
    places, at = [], 0
    for word in words:
        start = text.find(word.text, at)
        if start < 0:
            raise ValueError(
                f"prompt: the text encoder reads {word.text!r}, which does not stand there so; write the "
                "prompt in the letters that it knows, without accents or signs of its own"
            )
        at = start + len(word.text)
        places.append(slice(start, at))
    return places
