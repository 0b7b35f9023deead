"""The words of a prompt beside its varied object: those to keep, those of the background, and all things."""

from ....attention_patches.text.lists import phrases_of
from ....attention_patches.text.words import PromptTokens, Word


def other_words(tokens: PromptTokens, varied: Word, text: str, name: str) -> tuple[Word, ...]:
    """The words that are written, joined by commas or lines.

    Raises ValueError, naming the input, for a word that the prompt does not hold, or that is the varied one.
    """
    found = {}
    for phrase in phrases_of(text):
        try:
            found[phrase] = tokens.find(phrase)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        if _overlap(found[phrase], varied):
            raise ValueError(
                f"{name}: {phrase!r} is the object in braces, which gets other shapes. Write other words of "
                "the prompt; `cat#2` is the second `cat`."
            )
    return tuple(found.values())


def things(tokens: PromptTokens, varied: Word) -> tuple[Word, ...]:
    """What a prompt names beside the varied object, each once: of words that follow each other without a
    filler or a comma between, as `wooden stairs`, the last one; none of those round the object.

    The authors take the nouns, by a tagger.
    """
    content = set(tokens.content_words())
    runs: list[list[Word]] = [[]]
    for word in tokens.words:
        if word in content:
            runs[-1].append(word)
        else:
            runs.append([])
    named: dict[str, tuple[int, ...]] = {}
    for run in runs:
        if run and not any(_overlap(word, varied) for word in run):
            text = run[-1].text.lower()
            named[text] = (*named.get(text, ()), *run[-1].positions)
    return tuple(Word(text, positions) for text, positions in named.items())


def labels(
    tokens: PromptTokens, varied: Word, kept: tuple[Word, ...], ground: tuple[Word, ...]
) -> tuple[tuple[Word, ...], frozenset[int]]:
    """The words that segments are labelled with, the varied one first, and by number those of the
    background."""
    written = (*kept, *ground)
    more = [word for word in things(tokens, varied) if not any(_overlap(word, own) for own in written)]
    words = (varied, *dict.fromkeys(written), *more)
    return words, frozenset(number for number, word in enumerate(words) if word in ground)


def positions(words: tuple[Word, ...]) -> tuple[int, ...]:
    """The tokens of all of them."""
    return tuple(sorted({position for word in words for position in word.positions}))


def _overlap(one: Word, other: Word) -> bool:
    return bool(set(one.positions) & set(other.positions))
