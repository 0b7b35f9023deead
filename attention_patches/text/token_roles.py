"""What each token of an encoded prompt is for: the start of a chunk, the text, its end, what fills it up."""

import unicodedata
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property

from .words import PromptTokens, Word

Role = tuple[str, int, int]
"""(start, end or pad; chunk; which one there), counted from 0."""


@dataclass(frozen=True)
class EncodedPrompt:
    """A prompt as cross-attention sees it: `length` tokens, in chunks of `chunk`.

    `values` tells by position what stands for the text: equal values are the same token.
    """

    tokens: PromptTokens
    values: Mapping[int, Hashable]
    length: int
    chunk: int = 77

    @cached_property
    def roles(self) -> dict[Role, int]:
        """Position of every token that is none of the text's, by its role.

        The end of a chunk is the first token behind its text, what follows fills it up.
        """
        roles: dict[Role, int] = {}
        for number, first in enumerate(range(0, self.length, self.chunk)):
            chunk = range(first, min(first + self.chunk, self.length))
            text = [position for position in chunk if position in self.values]
            free = [position for position in chunk if position not in self.values]
            end = max(text, default=first) + 1
            for position in free:
                name = "start" if position == first else "end" if position == end else "pad"
                roles[name, number, max(position - end - 1, 0)] = position
        return roles

    @cached_property
    def words(self) -> tuple[Word, ...]:
        """The words of the prompt without its punctuation."""
        return tuple(word for word in self.tokens.words if any(map(_is_spoken, word.text)))

    def between(self) -> list[list[int]]:
        """Positions of the punctuation before the first word, behind it, and so on to the last."""
        gaps: list[list[int]] = [[]]
        spoken = set(self.words)
        for word in self.tokens.words:
            if word in spoken:
                gaps.append([])
            else:
                gaps[-1].extend(word.positions)
        return gaps

    def spaces(self) -> list[list[int]]:
        """Positions of the text's tokens that are no word's, in the same gaps."""
        gaps: list[list[int]] = [[] for _ in range(len(self.words) + 1)]
        for position in self.tokens.spaces:
            gaps[sum(word.positions[0] < position for word in self.words)].append(position)
        return gaps

    def spelled(self, word: Word) -> tuple[Hashable, ...]:
        """The tokens of a word."""
        return tuple(self.values[position] for position in word.positions)


def _is_spoken(character: str) -> bool:
    """Letters, digits and pictographs."""
    category = unicodedata.category(character)
    return category[0] in "LNM" or category == "So"
