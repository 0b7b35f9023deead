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
    other = dict.fromkeys(_numbers(tokens, thing.attributes), "")
    return _rewritten(tokens, other | dict.fromkeys(_numbers(tokens, [thing.noun]), word))


def lent(tokens: PromptTokens, attribute: Word, thing: NamedThing) -> str:
    """The prompt in which a thing has another one's attribute in place of its own: `a red cat and a red dog`
    of `a red cat and a blue dog`.

    Raises ValueError where the encoder reads a word in other letters than the prompt has.
    """
    noun = min(_numbers(tokens, [thing.noun]))
    other = dict.fromkeys(_numbers(tokens, thing.attributes), "")
    return _rewritten(tokens, other | {noun: f"{attribute.text} {tokens.words[noun].text}"})


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
    other letters are left out. Between two words that follow each other is no third."""
    hidden = re.sub(_WEIGHT, lambda weight: " " * len(weight[0]), text)
    hidden = re.sub(_EMBEDDING, lambda mark: " " * len(mark[0]), hidden)
    places: dict[int, slice] = {}
    at, skipped = 0, False
    for number, word in enumerate(words):
        start = hidden.find(word.text, at)
        if start < 0 or not (skipped or _nothing_between(hidden[at:start])):
            skipped = True
            continue
        before = re.search(_EMBEDDING + "$", text[:start])
        places[number] = slice(before.start() if before else start, start + len(word.text))
        at, skipped = places[number].stop, False
    return places


def _nothing_between(text: str) -> bool:
    """Whether there is no word in it."""
    return not any(map(str.isalnum, text))
