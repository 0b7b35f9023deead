"""Several prompts as one CONDITIONING with a row for each."""

from collections.abc import Sequence, Set
from typing import TYPE_CHECKING, Any

import torch

from .one_length import MASK, Entries, Entry, masks_padding, of_one_length

if TYPE_CHECKING:
    from comfy.sd import CLIP

ROWS = "pooled_output"
FURTHER = {ROWS, "conditioning_llama3", "conditioning_byt5small"}  # their tensors have a row for each prompt
ANIMA = "t5xxl_ids"


def prompt_lines(prompts: str, style: str = "") -> list[str]:
    """One prompt per line that isn't blank, each with `style` after it, or put into the `{}` of `style`.

    Raises ValueError if every line is blank.
    """
    lines = [line.strip() for line in prompts.splitlines() if line.strip()]
    if not lines:
        raise ValueError("prompts: there is no prompt, only blank lines; write one prompt per line")
    style = style.strip()
    if "{}" in style:
        return [style.replace("{}", line) for line in lines]
    return [f"{line}, {style}" for line in lines] if style else lines


def encode_rows(clip: "CLIP", prompts: list[str]) -> list[Entry]:
    """A CONDITIONING whose row i is `prompts[i]` as the host encodes it alone.

    All rows get the token length of the longest: with CLIP a shorter one keeps its chunks, and the encoded
    empty prompt follows as often as needed, as *Conditioning (Concat)* would append it; see `one_length` for
    others. With a clip schedule there is one entry for each of its ranges.
    Raises ValueError for a text encoder whose texts can't be brought to one length, or that gives further
    texts (HiDream's Llama, what HunyuanImage reads in quotes) not in one length.
    """
    if clip is None:
        raise ValueError("clip: none arrived; does the checkpoint hold a text encoder? Load CLIP loads one")
    encoded: list[Entries] = [_encode(clip, prompt) for prompt in prompts]
    _refuse_tokens_of_one(encoded)
    if len({entries[0][0].shape[1] for entries in encoded}) > 1:
        encoded = of_one_length(clip, prompts, encoded, _encode(clip, ""))
    rows = FURTHER | {MASK} if masks_padding(clip) else FURTHER
    return [_stacked(entries, rows) for entries in zip(*encoded, strict=True)]


def _encode(clip: "CLIP", prompt: str) -> list[Entry]:
    entries: list[Entry] = clip.encode_from_tokens_scheduled(clip.tokenize(prompt), show_pbar=False)
    return entries


def _refuse_tokens_of_one(encoded: Sequence[Entries]) -> None:
    """Anima's tokens for its second reader go to the model for all rows at once."""
    tokens = [entries[0][1].get(ANIMA) for entries in encoded]
    if tokens[0] is not None and any(not torch.equal(own, tokens[0]) for own in tokens):
        raise ValueError(
            "clip: the model of this text encoder (Anima) reads the tokens of one prompt for all images of a "
            "batch; only Prompt-to-Prompt and Shape Variations, which have the model at hand, give each "
            "image its own. Give all images one prompt, or sample them one by one"
        )


def _stacked(entries: Sequence[Entry], rows: Set[str]) -> Entry:
    """The entries as one: text, pooled vectors and other `rows` row by row, every other key as all of them
    have it."""
    further: dict[str, Any] = {}
    for key in dict.fromkeys(key for _, more in entries for key in more):
        values = [more.get(key) for _, more in entries]
        if key in rows and _of_one_shape(values):
            further[key] = torch.cat(values)
        elif all(_same(value, values[0]) for value in values):
            further[key] = values[0]
        else:
            raise ValueError(
                f"clip: this text encoder gives {key!r} with prompts, and that of these ones can't be joined "
                "into one batch; it always can for the CLIP encoders of SD1.5, SD2 and SDXL, and for "
                "HunyuanImage where equally many letters stand in quotes. Sample the images one by one"
            )
    further.setdefault(ROWS, None)
    return [torch.cat([entry[0] for entry in entries]), further]


def _of_one_shape(values: Sequence[Any]) -> bool:
    tensors = [value for value in values if isinstance(value, torch.Tensor)]
    return len(tensors) == len(values) and len({tensor.shape[1:] for tensor in tensors}) == 1


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.shape == other.shape and torch.equal(one, other)
    return bool(one == other)
