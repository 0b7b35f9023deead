"""What a prompt names: its nouns, each with the words that say how it is; found without a language model.

Content words (CLIP's words without function words and punctuation) that follow each other are one thing: the
last of them is its noun, those before it are its attributes. `a red cat and a blue dog on the stairs` names
the red cat, the blue dog and the stairs. Words such as `wearing` end a thing as function words do. So this
is right for English noun phrases whose attributes stand in front (`a wooden old house`), and wrong for
attributes that follow (`the cat is red`), for nouns of two words (`teddy bear` has the attribute teddy) and
for verbs that are not in the list. The user's own list helps there: see `named_things`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from .lists import phrases_of
from .words import PromptTokens, Word

VERBS = frozenset(
    word
    for line in (
        "wearing holding sitting standing lying riding playing looking walking running flying jumping",
        "eating carrying driving swimming sleeping facing wears holds sits stands rides",
    )
    for word in line.split()
)
"""Words that join two things, as prepositions do."""


@dataclass(frozen=True)
class NamedThing:
    """A noun and its attributes, in the order of the prompt."""

    noun: Word
    attributes: tuple[Word, ...] = ()

    @property
    def text(self) -> str:
        """Attributes and noun: `red cat`."""
        return " ".join(word.text for word in (*self.attributes, self.noun))

    @property
    def words(self) -> tuple[Word, ...]:
        """The noun, then its attributes."""
        return (self.noun, *self.attributes)


def named_things(tokens: PromptTokens, listed: str = "") -> tuple[NamedThing, ...]:
    """The things that a prompt names, or those of a list, comma-separated or one a line.

    A phrase of the list (`red cat`, `cat#2` for the second cat) has the noun last; its words need not follow
    each other in the prompt, so `red cat` is also found in `the cat is red`. Raises ValueError if a word is
    not in the prompt, or if there is none.
    """
    phrases = phrases_of(listed)
    found = tuple(_listed(tokens, phrase) for phrase in phrases) if phrases else tuple(_read(tokens))
    if not found:
        raise ValueError("the prompt names nothing: give the prompt that was sampled with, and words of it")
    return found


def _read(tokens: PromptTokens) -> Iterator[NamedThing]:
    content = {word.positions for word in tokens.content_words() if word.text.casefold() not in VERBS}
    for naming, run in groupby(tokens.words, key=lambda word: word.positions in content):
        if naming:
            *attributes, noun = run
            yield NamedThing(noun, tuple(attributes))


def _listed(tokens: PromptTokens, phrase: str) -> NamedThing:
    """As it stands in the prompt, or else word by word."""
    try:
        words = _words_of(tokens, phrase)
    except ValueError:
        spoken = re.sub(r"\s*#", "#", phrase).split()
        if len(spoken) < 2:
            raise
        words = [tokens.find(word) for word in spoken]
    *attributes, noun = words
    return NamedThing(noun, tuple(attributes))


def _words_of(tokens: PromptTokens, phrase: str) -> Sequence[Word]:
    """The words of a phrase; of one that stands there several times, each with all its places."""
    places = set(tokens.find(phrase).positions)
    inside = [word for word in tokens.words if places.issuperset(word.positions)]
    joined: dict[str, tuple[int, ...]] = {}
    for word in inside:
        joined[word.text.casefold()] = (*joined.get(word.text.casefold(), ()), *word.positions)
    return [Word(text, positions) for text, positions in joined.items() if any(map(str.isalnum, text))]
