"""Boxes and masks with the phrases of a prompt that say what is in them."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle

from torch import Tensor

from ...attention_patches.layout.regions import Subject
from ...attention_patches.layout.subject_tokens import subject_positions
from ...attention_patches.text.words import PromptTokens
from .boxes import Drawn


def named(frames: Sequence[Sequence[Drawn]], phrases: Sequence[str]) -> list[list[Drawn]]:
    """The boxes of each image with their phrases: the same for all images, or all one after the other.

    Without phrases each box has its own description. Raises ValueError, naming the input, for a box that has
    none, or for another number of phrases.
    """
    counts = [len(frame) for frame in frames]
    if not phrases:
        for drawn in (drawn for frame in frames for drawn in frame):
            if not drawn.phrase:
                raise ValueError(
                    f"{drawn.where} comes without a description, and `subjects` is empty. Say what is in the "
                    "box, in a phrase of the prompt, or write one phrase for each box in `subjects`."
                )
        return [list(frame) for frame in frames]
    if not frames:
        raise ValueError(
            f"boxes: there are {len(phrases)} subjects, but neither boxes nor masks. Draw a box for each "
            "subject."
        )
    if sum(counts) != len(phrases) and set(counts) != {len(phrases)}:
        have = f"{counts[0]} boxes" if len(frames) == 1 else f"{', '.join(map(str, counts))} boxes by image"
        raise ValueError(
            f"subjects: {len(phrases)} phrases ({', '.join(phrases)}), but {have}. Write one phrase for each "
            "box, in their order; boxes that share a phrase need it once each."
        )
    left = cycle(phrases)
    return [[replace(drawn, phrase=next(left), where="subjects") for drawn in frame] for frame in frames]


def positions_of(tokens: PromptTokens, phrase: str, more: Sequence[str], where: str) -> tuple[int, ...]:
    """The tokens of a phrase. Raises ValueError, naming the input `where`, if the prompt does not hold it."""
    try:
        return subject_positions(tokens, phrase, more)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def masked(
    masks: Tensor, phrases: Sequence[str], tokens: PromptTokens, more: Sequence[str]
) -> list[tuple[Subject, ...]]:
    """(images * subjects, H, W) -> the subjects of each image.

    Raises ValueError for another number of masks, and for empty ones.
    """
    if not phrases or len(masks) % len(phrases):
        raise ValueError(
            f"masks: {len(masks)} masks, but {len(phrases)} subjects. Write one phrase of the prompt in "
            "`subjects` for each mask, in their order, or for each mask of one image if there are several."
        )
    empty = [number for number, mask in enumerate(masks, start=1) if not mask.any()]
    if empty:
        raise ValueError(
            f"masks: number {', '.join(map(str, empty))} is empty; paint where the subject should be"
        )
    named = [(phrase, positions_of(tokens, phrase, more, "subjects")) for phrase in phrases]
    return [
        tuple(
            Subject(phrase, positions, mask=mask)
            for (phrase, positions), mask in zip(named, image, strict=True)
        )
        for image in masks.split(len(phrases))
    ]
