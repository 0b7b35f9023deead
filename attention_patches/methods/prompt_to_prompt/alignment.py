"""Which tokens of the source prompt each token of an edited prompt takes its attention from.

Hertz et al., "Prompt-to-Prompt Image Editing with Cross Attention Control", ICLR 2023, section 3 ("word swap"
and "adding a new phrase"). Differences from the authors' `seq_aligner`, whose numbers are otherwise met:

- Swap: behind a swapped word of another number of tokens everything moves along. There, all that stands
  behind the *last* swapped word takes the maps of what the source has at the same place, which is shifted.
- Punctuation is no word, so a comma stuck to a word does not keep it from being found.
- In both: the start and the end of a text are aligned to those of the source, what fills it up to the
  source's in their order. Fillers that the source lacks keep their own maps (in the authors' refinement they
  read words of the source).
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

from ...text.token_roles import EncodedPrompt
from ...text.words import Word

Mode = Literal["auto", "swap", "refine", "off"]


@dataclass(frozen=True)
class Taken:
    """The tokens of the source whose maps are summed for one token of an edit, and which part of the sum it
    gets. Without tokens it keeps its own map."""

    tokens: tuple[int, ...] = ()
    share: float = 1.0


OWN = Taken()


@dataclass(frozen=True)
class Alignment:
    """What each token of an edit takes, by its position; `mode` is how that was found."""

    mode: Mode
    taken: tuple[Taken, ...]


def align(source: EncodedPrompt, edit: EncodedPrompt, mode: Mode) -> Alignment:
    """Align two prompts of one length; `auto` swaps where both have as many words, and refines else.

    Raises ValueError for a swap of unequal numbers of words, with the pairs that were made.
    """
    if mode == "off":
        return Alignment(mode, (OWN,) * edit.length)
    chosen = mode if mode != "auto" else "swap" if len(source.words) == len(edit.words) else "refine"
    text = _swapped(source, edit) if chosen == "swap" else _refined(source, edit)
    roles = {p: Taken((source.roles[role],)) for role, p in edit.roles.items() if role in source.roles}
    taken = roles | text
    return Alignment(chosen, tuple(taken.get(position, OWN) for position in range(edit.length)))


def _swapped(source: EncodedPrompt, edit: EncodedPrompt) -> dict[int, Taken]:
    """The words in their order: a word takes the map of the word in its place."""
    if len(source.words) != len(edit.words):
        raise ValueError(_unequal(source, edit))
    taken: dict[int, Taken] = {}
    gaps = zip([*source.between(), *source.spaces()], [*edit.between(), *edit.spaces()], strict=True)
    for ours, theirs in gaps:
        taken |= {position: Taken((other,)) for other, position in zip(ours, theirs, strict=False)}
    for ours_, theirs_ in zip(source.words, edit.words, strict=True):
        taken |= _word(ours_, theirs_)
    return taken


def _word(ours: Word, theirs: Word) -> dict[int, Taken]:
    """A word of as many tokens token by token; of others the map is spread evenly over the new tokens."""
    if len(ours.positions) == len(theirs.positions):
        return {new: Taken((old,)) for old, new in zip(ours.positions, theirs.positions, strict=True)}
    spread = Taken(ours.positions, 1 / len(theirs.positions))
    return dict.fromkeys(theirs.positions, spread)


def _unequal(source: EncodedPrompt, edit: EncodedPrompt) -> str:
    pairs = [f"{a.text} -> {b.text}" for a, b in zip(source.words, edit.words, strict=False)]
    longer, words = max(("the source", source.words), ("the edit", edit.words), key=lambda x: len(x[1]))
    left = ", ".join(word.text for word in words[len(pairs) :])
    return (
        f"a swap needs as many words in both prompts, and the source has {len(source.words)} and "
        f"{edit.tokens.prompt!r} has {len(edit.words)}. Paired in order: {', '.join(pairs) or 'none'}; left "
        f"over in {longer}: {left}. Write a word for each word, or choose refine, which finds what was added."
    )


def _refined(source: EncodedPrompt, edit: EncodedPrompt) -> dict[int, Taken]:
    """The longest run of tokens that both texts have in this order; what is new keeps its own map."""
    ours, theirs = sorted(source.values), sorted(edit.values)
    pairs = common([source.values[p] for p in ours], [edit.values[p] for p in theirs])
    return {theirs[new]: Taken((ours[old],)) for old, new in pairs}


def common(source: Sequence[Hashable], edit: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Needleman and Wunsch's alignment with the authors' scores, which are 1 for a match and 0 for a gap; a
    mismatch (-1) is then never as good as two gaps. Of equally good ones theirs: from the end, first what is
    new in the edit is left out, then what is gone from the source."""
    score = [[0] * (len(edit) + 1) for _ in range(len(source) + 1)]
    for i, old in enumerate(source, start=1):
        for j, new in enumerate(edit, start=1):
            match = score[i - 1][j - 1] + 1 if old == new else 0
            score[i][j] = max(score[i][j - 1], score[i - 1][j], match)
    pairs = []
    i, j = len(source), len(edit)
    while i and j:
        if score[i][j] == score[i][j - 1]:
            j -= 1
        elif score[i][j] == score[i - 1][j]:
            i -= 1
        else:
            i, j = i - 1, j - 1
            pairs.append((i, j))
    return pairs[::-1]
