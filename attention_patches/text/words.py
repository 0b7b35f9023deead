"""Words of a prompt, and the positions of their tokens on the key axis of cross-attention."""

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

_OCCURRENCE = r"(?s)(?P<phrase>.*\S)\s*#(?P<number>\d{1,9})"
_MARK = "\ue000"  # stands for a combining mark, which belongs to the letter before it
# Thai, Lao, Burmese, Khmer, kana and Han are written without spaces: each character is a word.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_SUFFIX = rf"['\u2019](?:s|t|re|ve|m|ll|d)(?![^\W_]|{_MARK})"
# A special token, a suffix such as 's, letters and digits, or punctuation: CLIP never joins these.
_WORD = (
    rf"(?i)<\|\w+\|>|(?<=[^\W_]|{_MARK}){_SUFFIX}|[{_UNSPACED}]{_MARK}*|(?:[^\W_{_UNSPACED}]|{_MARK})+"
    rf"|(?:[^\w\s{_MARK}]|_)+"
)
_SAME = str.maketrans("\u2019", "'", "-_\u2010\u2011\u2013")

FILLERS = frozenset(
    word
    for line in (
        "a an the this that these those some any each every both all no not my your his her its our their",
        "and or but nor so as than then while i you he she it we they there here who which",
        "of in on at by to from for into onto over under above below behind beside besides",
        "between beneath among with without within inside outside near next through across around along",
        "against during before after upon toward towards beyond off out up down about like per via",
        "is are was were be been being am has have had do does did very",
        "one two three four five six seven eight nine ten eleven twelve several many few",
    )
    for word in line.split()
)
"""English words that name nothing in a picture: articles, conjunctions, prepositions, counts."""


@dataclass(frozen=True)
class Word:
    """A word or phrase, and where its tokens are; several words of a prompt never share a position."""

    text: str
    positions: tuple[int, ...]


@dataclass(frozen=True)
class PromptTokens:
    """A prompt and its words in order, punctuation included; `length` of the encoded text, if it is known.
    `spaces` are the text's tokens that are no word's, as T5's of a space alone."""

    prompt: str
    words: tuple[Word, ...]
    length: int | None = None
    spaces: tuple[int, ...] = ()

    def find(self, phrase: str) -> Word:
        """The tokens of a phrase: of all places where it stands, or of the second one for `cat#2`.

        Case, spaces, hyphens and punctuation round the phrase do not count: `t-shirt` is found in `T shirt`.
        It begins and ends with whole words: `cat` is neither in `cats` nor in `catalogue`.
        Raises ValueError, with the prompt's words, if the prompt does not hold it that often.
        """
        asked = phrase.strip()
        places = list(self._places(asked))
        numbered = re.fullmatch(_OCCURRENCE, asked)
        if not places and numbered:
            places = list(self._places(numbered["phrase"]))
            number = int(numbered["number"])
            if places and not 1 <= number <= len(places):
                raise ValueError(
                    f"{asked!r} asks for number {number}, but {numbered['phrase']!r} stands "
                    f"{len(places)} times in the prompt {self.prompt!r}"
                )
            places = places[number - 1 : number]
        if not places:
            raise ValueError(self._complaint(asked))
        return Word(asked, tuple(sorted(p for place in places for word in place for p in word.positions)))

    def occurrences(self, phrase: str) -> tuple[Word, ...]:
        """Each place where a phrase stands, in order, found as by `find`; `#` and a number are text here."""
        places = ([p for word in place for p in word.positions] for place in self._places(phrase))
        return tuple(Word(phrase, tuple(sorted(positions))) for positions in places)

    def content_words(self) -> tuple[Word, ...]:
        """The words that may name something: without punctuation and filler words. A repeated word comes
        as often as it stands in the prompt; `find(word.text)` joins them."""
        return tuple(word for word in self.words if _names_something(word.text))

    def filler_words(self, more: Collection[str] = ()) -> tuple[Word, ...]:
        """The words that name nothing, and those of `more`: no punctuation, but suffixes such as 's."""
        further = {_compact(word) for word in more}
        return tuple(
            word
            for word in self.words
            if _compact(word.text) in further
            or (not _names_something(word.text) and any(character.isalnum() for character in word.text))
        )

    def _places(self, phrase: str) -> Iterator[tuple[Word, ...]]:
        """Runs of words that spell the phrase, without overlap."""
        wanted, first = _compact(phrase), 0
        while wanted and first < len(self.words):
            place = self._spelling(wanted, first)
            if place:
                yield place
            first += len(place) or 1

    def _spelling(self, wanted: str, first: int) -> tuple[Word, ...]:
        spelled = _compact(self.words[first].text)
        if not spelled:  # a lone hyphen begins no phrase
            return ()
        for last in range(first, len(self.words)):
            # what is round a later word is within the phrase: cat's is no plural
            spelled += _folded(self.words[last].text) if last > first else ""
            if spelled == wanted:
                return self.words[first : last + 1]
            if not wanted.startswith(spelled):
                break
        return ()

    def _complaint(self, asked: str) -> str:
        if not asked:
            return "there is an empty phrase; write a word of the prompt"
        have = ", ".join(dict.fromkeys(word.text for word in self.content_words() or self.words))
        return (
            f"{asked!r} is not in the prompt. It has: {have or 'no words'}. Write words as the prompt "
            "does; `cat#2` is the second `cat`."
        )


def read_words(text: str, pieces: Sequence[Word]) -> tuple[Word, ...]:
    """The words of `text`, from the pieces in which an encoder reads it.

    A piece is in lower case, has the positions of its tokens, and ends with a space where the encoder ends
    what it reads in one go: at spaces, punctuation and digits. Pieces that the text writes without a space
    between, as in `1girl` or `2024`, become one word in the text's spelling. If the text does not read as
    the pieces do (the encoder changed a character), they are taken as they are. Every position ends up in
    exactly one word.
    """
    text = unicodedata.normalize("NFC", text)
    starts = _starts(text, pieces)
    if starts is None:
        text = "".join(piece.text for piece in pieces)
        starts = _starts(text, pieces) or []
    words: list[tuple[int, int, tuple[int, ...]]] = []
    following = 0
    for place in word_places(text):
        start = place.start
        positions: tuple[int, ...] = ()
        while following < len(pieces) and starts[following] < place.stop:
            positions += pieces[following].positions
            following += 1
        if not positions and words:  # no piece begins in it: it shares the one before
            start, _, positions = words.pop()
        words.append((start, place.stop, positions))
    return tuple(Word(text[start:stop], positions) for start, stop, positions in words)


def word_places(text: str) -> Iterator[slice]:
    """Where each word of the text stands."""
    marked = "".join(_MARK if unicodedata.category(c)[0] == "M" else c for c in text)
    return (slice(*match.span()) for match in re.finditer(_WORD, marked))


def _starts(text: str, pieces: Sequence[Word]) -> list[int] | None:
    """Where each piece begins, or None if the text is anything else than the pieces with spaces between."""
    # One by one: in a whole word the lower case of a capital sigma depends on its place.
    lower = [(character, at) for at, original in enumerate(text) for character in original.lower()]
    visible = [(character, at) for character, at in lower if not character.isspace()]
    starts, following = [], 0
    for piece in pieces:
        spelled = "".join(character.lower() for character in piece.text).rstrip()
        place = visible[following : following + len(spelled)]
        if not spelled or "".join(character for character, _ in place) != spelled:
            return None
        starts.append(place[0][1])
        following += len(spelled)
    return starts if following == len(visible) else None


def _folded(text: str) -> str:
    """Without what does not count anywhere in a phrase: case, spaces, hyphens, the bend of an apostrophe."""
    return "".join(unicodedata.normalize("NFC", text).casefold().translate(_SAME).split())


def _compact(text: str) -> str:
    """What two spellings of the same phrase share: no punctuation round it, unless there is nothing else."""
    joined = _folded(text)
    first, last = 0, len(joined)
    while first < last and _is_punctuation(joined[first]):
        first += 1
    while first < last and _is_punctuation(joined[last - 1]):
        last -= 1
    return joined[first:last] or joined


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character)[0] == "P"


def _names_something(word: str) -> bool:
    """Letters, digits with letters, or a pictograph; no suffix such as 's."""
    if word[0] in "'\u2019" or word.isdecimal() or _compact(word) in FILLERS:
        return False
    return any(unicodedata.category(c) == "So" or unicodedata.category(c)[0] in "LNM" for c in word)
