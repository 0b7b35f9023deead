"""Encoded prompts brought to one length, so that each can be a row of one CONDITIONING.

The rows of a model's call have one length. CLIP's chunks are filled up by encoded empty ones. Of models that
read a prompt as one text, those whose text encoder fills up all prompts to one length (Flux.1, SD3, AuraFlow,
HiDream and Wan as far as it goes, Flux.2 Klein) have nothing to do here; Flux.2 has zeros in front of a text
anyway, and Qwen-Image masks what fills a text up. All others see what fills up a text as if it were text: it
would be the picture of another prompt.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from comfy.text_encoders.qwen_image import QwenImageTokenizer
from torch import Tensor
from torch.nn.functional import pad

from .clip_tokens import ENCODERS

if TYPE_CHECKING:
    from comfy.sd import CLIP

Entry = list[Any]  # one entry of a CONDITIONING: [text (rows, tokens, channels), further keys]
Entries = Sequence[Entry]  # of one prompt, for each range of a clip schedule

MASK = "attention_mask"
FLUX2 = "mistral3_24b"
FLUX2_TOKENS = 512  # to which the host fills up a text


def masks_padding(clip: "CLIP") -> bool:
    """Whether the model that this text encoder is for takes a mask of the text."""
    return type(clip.tokenizer) is QwenImageTokenizer


def of_one_length(
    clip: "CLIP", prompts: Sequence[str], encoded: Sequence[Entries], blank: Entries
) -> list[Entries]:
    """Encoded prompts of unequal lengths as they are at one length; `blank` is the encoded empty prompt.

    Raises ValueError where that would be another prompt to the model.
    """
    lengths = [entries[0][0].shape[1] for entries in encoded]
    tokens = [clip.tokenize(prompt) for prompt in prompts]
    longest, chunk = max(lengths), blank[0][0].shape[1]
    if masks_padding(clip):
        return [[_masked(entry, longest) for entry in entries] for entries in encoded]
    if FLUX2 in tokens[0] and longest <= FLUX2_TOKENS:
        return [[_behind_zeros(entry, longest) for entry in entries] for entries in encoded]
    if not all(len(piece) == chunk for each in tokens for pieces in each.values() for piece in pieces):
        raise ValueError(_unequal(prompts, lengths, list(tokens[0])))
    return [
        [_with_chunks(entry, empty[0], longest) for entry, empty in zip(entries, blank, strict=True)]
        for entries in encoded
    ]


def filled_rows(clip: "CLIP", prompts: Sequence[str]) -> tuple[int, ...]:
    """The rows behind whose prompts encoded empty chunks stand, as another prompt has more of CLIP's chunks.
    A model sees them, so such a row is not quite what its prompt alone gives."""
    tokens = [clip.tokenize(prompt) for prompt in prompts]
    if not tokens[0].keys() <= ENCODERS:
        return ()
    chunks = [max(map(len, each.values())) for each in tokens]
    return tuple(row for row, own in enumerate(chunks) if own < max(chunks))


def _unequal(prompts: Sequence[str], lengths: Sequence[int], streams: Sequence[str]) -> str:
    shortest, longest = lengths.index(min(lengths)), lengths.index(max(lengths))
    return (
        f"prompts: this text encoder ({', '.join(streams)}) makes {lengths[shortest]} tokens of "
        f"{prompts[shortest]!r} but {lengths[longest]} of {prompts[longest]!r}, and images of one batch need "
        "texts of one length. Its model would see what fills up the shorter prompt as if it were text; only "
        "the CLIP encoders of SD1.5, SD2 and SDXL have chunks to fill up with, and Qwen-Image masks what is "
        "filled up. Write prompts of equally many tokens, give all images one prompt, or sample them one by "
        "one"
    )


def _with_chunks(entry: Entry, blank: Tensor, length: int) -> Entry:
    text, further = entry
    missing = (length - text.shape[1]) // blank.shape[1]
    return [torch.cat([text, *[blank] * missing], dim=1), further]


def _masked(entry: Entry, length: int) -> Entry:
    """Filled up behind, and masked there."""
    text, further = entry
    missing = length - text.shape[1]
    mask = further.get(MASK, torch.ones(text.shape[:2], dtype=torch.long))
    return [pad(text, (0, 0, 0, missing)), {**further, MASK: pad(mask, (0, missing))}]


def _behind_zeros(entry: Entry, length: int) -> Entry:
    """Filled up in front, as the host fills up to its own length."""
    text, further = entry
    return [pad(text, (0, 0, length - text.shape[1], 0)), further]
