"""Words of a text from pieces of it whose places are known, as language models cut it."""

from collections.abc import Sequence
from dataclasses import dataclass

from .words import Word, word_places


@dataclass(frozen=True)
class Piece:
    """What one or several tokens stand for, characters `start` to `end` of the text, and where they are."""

    start: int
    end: int
    positions: tuple[int, ...]


def words_of_pieces(text: str, pieces: Sequence[Piece], within: slice) -> tuple[Word, ...]:
    """The words in a part of the text, each with all pieces that it overlaps.

    Words that share a piece (a tokenizer may join a hyphen to what follows) become one, so that no two words
    have a position in common.
    """
    words: list[tuple[int, int, set[Piece]]] = []
    for place in word_places(text[within]):
        start, end = within.start + place.start, within.start + place.stop
        own = {piece for piece in pieces if piece.start < end and start < piece.end}
        if words and words[-1][2] & own:
            start, _, before = words.pop()
            own |= before
        if own:
            words.append((start, end, own))
    return tuple(
        Word(text[start:end], tuple(sorted(p for piece in own for p in piece.positions)))
        for start, end, own in words
    )


def spaces_of_pieces(pieces: Sequence[Piece], within: slice, words: Sequence[Word]) -> tuple[int, ...]:
    """The tokens in a part of the text that are no word's: spaces and new lines that stand alone."""
    owned = {position for word in words for position in word.positions}
    inside = (piece for piece in pieces if within.start <= piece.start and piece.end <= within.stop)
    return tuple(sorted(p for piece in inside for p in piece.positions if p not in owned))
