"""The tokens of a layout's subjects, and those that belong to none of them."""

from collections.abc import Collection, Iterable

from ..text.words import PromptTokens

PLACES = ("left", "right", "top", "bottom")  # the paper counts them among the words that name nothing


def filler_positions(tokens: PromptTokens, more: Collection[str] = ()) -> tuple[int, ...]:
    """Tokens of the words that name nothing: articles, conjunctions, prepositions, counts, and `more`."""
    words = tokens.filler_words((*PLACES, *more))
    return tuple(position for word in words for position in word.positions)


def subject_positions(tokens: PromptTokens, phrase: str, more: Collection[str] = ()) -> tuple[int, ...]:
    """Tokens of a phrase's words but fillers (all, if it has no others). Raises ValueError if the prompt
    does not hold the phrase."""
    found, fillers = tokens.find(phrase).positions, filler_positions(tokens, more)
    return tuple(position for position in found if position not in fillers) or found


def text_ends(tokens: PromptTokens) -> tuple[int, ...]:
    """Where the first end token stands in each chunk of the text: behind the text's last token there."""
    taken = {position for word in tokens.words for position in word.positions} | set(tokens.spaces)
    return tuple(sorted(position + 1 for position in taken if position + 1 not in taken)) or (1,)


def repeated(positions: Iterable[int], tokens: int, keys: int) -> list[int]:
    """The same tokens in every copy, where the host repeated a text of `tokens` to a length of `keys`."""
    return [copy * tokens + position for copy in range(keys // tokens) for position in positions]
