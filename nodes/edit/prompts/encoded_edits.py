"""The prompts of PromptToPrompt, as they are written and encoded."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ....attention_patches.contract.call.site import Prompt
from ....attention_patches.methods.prompt_to_prompt.alignment import Mode
from ....attention_patches.text.token_roles import EncodedPrompt
from ...host.text.encoded_prompt import encoded_prompt, unaligned_prompt
from ...host.text.one_length import Entry
from ...host.text.prompt_identity import encode_own
from ...inputs.named_errors import of_input
from .edited_prompts import EditedPrompts
from .word_numbers import word_ends, word_numbers


@dataclass(frozen=True)
class EncodedEdits:
    """The prompts, the CONDITIONING that a run knows them by, and what it is known by."""

    prompts: EditedPrompts
    conditioning: list[Entry]
    identity: Prompt


def edit_lines(source: str, edits: str) -> list[str]:
    """The source prompt as it is written, and the edits, a line each. Raises ValueError without a source or
    without edits."""
    if not source.strip():
        raise ValueError("source_prompt: it is empty; write what is in the picture that the edits start from")
    lines = [line.strip() for line in edits.splitlines() if line.strip()]
    if not lines:
        raise ValueError(
            "edit_prompts: there is no edit, only blank lines. Write the source prompt again with a word "
            "changed or added, one line for each picture; the same line for an edit by `reweight` alone."
        )
    return [source, *(_spaced(line, source) for line in lines)]


def _spaced(line: str, source: str) -> str:
    """An edit with what a line cannot hold: the space round the source and, if both have as many words, the
    line breaks within it. To language models these are tokens."""
    gaps, words = re.split(r"\S+", source), line.split()
    if len(words) == len(gaps) - 1 and len(source.strip().splitlines()) > 1:
        return gaps[0] + "".join(word + gap for word, gap in zip(words, gaps[1:], strict=True))
    return gaps[0] + line + gaps[-1]


def fault_in_texts(
    source: str | None, edits: str | None, until_words: str | None, reweight: str | None
) -> str | None:
    """What can be said of these texts before anything runs; None of each that it is connected.

    Whether the prompts hold the words is seen by `encode_edits`.
    """
    try:
        edit_lines("-" if source is None else source, "-" if edits is None else edits)
        word_ends(until_words or "", "cross_until_words")
        word_numbers(reweight or "", "reweight")
    except ValueError as error:
        return str(error)
    return None


def encode_edits(
    clip: Any, lines: list[str], mode: Mode, until: float, until_words: str, reweight: str
) -> EncodedEdits:
    """Encode the source and its edits, one row each, and find their words. Raises ValueError, naming the
    input, for prompts that this cannot be done with."""
    conditioning, identity = _encoded(clip, lines)
    length = conditioning[0][0].shape[1]
    read = _read(lines, lambda line: encoded_prompt(clip, line, length))
    prompts = EditedPrompts(read, _same_rows(conditioning), mode, until, until_words, reweight)
    return EncodedEdits(prompts, conditioning, identity)


def encode_unaligned(clip: Any, lines: list[str], reweight: str, *, worded: bool) -> EncodedEdits:
    """The same for models in which text and picture share one softmax: maps of words are not exchanged. Words
    are found if they are wanted for a blend. Raises ValueError for weights of words."""
    if reweight.strip():
        raise ValueError(
            "reweight: in this model text and picture share one softmax, where a larger part for a word is "
            "taken from the picture's own, and no one has published how to weigh words there. Leave it out. "
            "To weigh a word, write it so in the prompt, as in (smiling:1.3), if the text encoder heeds that."
        )
    conditioning, identity = _encoded(clip, lines)
    length = conditioning[0][0].shape[1]
    read = _read(lines, lambda line: unaligned_prompt(clip, line, length, worded=worded))
    return EncodedEdits(EditedPrompts(read, _same_rows(conditioning), "off", 0.0), conditioning, identity)


def _encoded(clip: Any, lines: list[str]) -> tuple[list[Entry], Prompt]:
    try:
        return encode_own(clip, *lines)
    except ValueError as error:
        raise of_input(error, "edit_prompts") from None


def _read(lines: list[str], words: Callable[[str], EncodedPrompt]) -> tuple[EncodedPrompt, ...]:
    """The words of the source and of the edits."""
    found = []
    for number, line in enumerate(lines):
        try:
            found.append(words(line))
        except ValueError as error:
            name = f"edit_prompts, edit {number}" if number else "source_prompt"
            raise of_input(error, name) from None
    return tuple(found)


def _same_rows(conditioning: list[Entry]) -> tuple[bool, ...]:
    """Whether each row behind the first is encoded as the source is."""
    rows = conditioning[0][0].shape[0]
    return tuple(_same(conditioning, row) for row in range(1, rows))


def _same(conditioning: list[Entry], row: int) -> bool:
    """Whether a row is encoded as the source is."""
    tensors = [x for text, more in conditioning for x in (text, *more.values()) if _has_rows(x, len(text))]
    return all(torch.equal(x[row], x[0]) for x in tensors)


def _has_rows(value: Any, rows: int) -> bool:
    return isinstance(value, torch.Tensor) and value.ndim > 1 and len(value) == rows
