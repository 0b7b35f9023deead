"""What a report adds to a source prompt and its edits, or to an original and its proxies."""

from collections.abc import Sequence
from typing import Any

from ...host.text.one_length import filled_rows
from .edited_prompts import EditedPrompts
from .word_numbers import word_ends


def filled_up(clip: Any, prompts: Sequence[str]) -> str:
    """Which images have a text that was filled up, so that they are not quite what their prompt alone gives;
    nothing where all prompts have as many chunks."""
    rows = filled_rows(clip, prompts)
    if not rows:
        return ""
    images = f"image {rows[0]}" if len(rows) == 1 else f"images {', '.join(map(str, rows))}"
    return (
        "Another prompt has more chunks of 77 tokens, so an encoded empty chunk stands behind the prompt of "
        f"{images}; the prompt alone gives a slightly other picture."
    )


def idle_ends(prompts: EditedPrompts) -> str:
    """The words of `cross_until_words` that end nothing, as no edit takes their maps from the source."""
    edits = prompts.edits()
    idle = [
        word
        for word in word_ends(prompts.until_words, "cross_until_words")
        if not any(
            edit.taken[token].tokens or edit.factors[token] != 1.0
            for edit, tokens in zip(edits, prompts.places(word), strict=True)
            for token in tokens
        )
    ]
    if not idle:
        return ""
    return (
        f"cross_until_words: {', '.join(idle)} without effect, as no edit takes the map of it from the "
        "source. A word that refine adds is free anyway; earlier ends of the words that stay give it more "
        "room."
    )
