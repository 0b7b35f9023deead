"""A prompt that stands several times on the key axis, as several encoders read it."""

from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher

from .words import PromptTokens, Word


def side_by_side(readings: Sequence[PromptTokens], main: int) -> PromptTokens:
    """Readings of known lengths one behind the other, as one text.

    Its words are those of one reading, by its number. What another reads, in words or in pieces of words, is
    found by its letters, without spaces: it belongs to the word that it has most letters of. So a reading may
    have been cut off, or lack a character.
    """
    words = readings[main].words
    places: list[list[int]] = [[] for _ in words]
    spaces: list[int] = []
    start = 0
    for number, reading in enumerate(readings):
        owners = dict(enumerate(range(len(words)))) if number == main else _owners(words, reading.words)
        for theirs, own in owners.items():
            places[own] += [start + place for place in reading.words[theirs].positions]
        nobodys = [word.positions for theirs, word in enumerate(reading.words) if theirs not in owners]
        spaces += [start + place for own in (reading.spaces, *nobodys) for place in own]
        start += reading.length or 0
    both = tuple(Word(word.text, tuple(found)) for word, found in zip(words, places, strict=True))
    return PromptTokens(readings[main].prompt, both, start, tuple(sorted(spaces)))


def _owners(words: Sequence[Word], others: Sequence[Word]) -> dict[int, int]:
    """Which of the words each of the others belongs to, if any, by their numbers."""
    own, theirs = _letters(words), _letters(others)
    shared: dict[int, Counter[int]] = {}
    matcher = SequenceMatcher(None, [x for x, _ in own], [x for x, _ in theirs], autojunk=False)
    for first, second, count in matcher.get_matching_blocks():
        for at in range(count):
            shared.setdefault(theirs[second + at][1], Counter())[own[first + at][1]] += 1
    return {number: counts.most_common(1)[0][0] for number, counts in shared.items()}


def _letters(words: Sequence[Word]) -> list[tuple[str, int]]:
    """Each with the number of its word."""
    return [
        (letter, number)
        for number, word in enumerate(words)
        for letter in word.text.casefold()
        if not letter.isspace()
    ]
