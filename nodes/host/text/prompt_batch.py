"""Several prompts as one CONDITIONING with a row for each."""

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from comfy.sd import CLIP

Entry = list[Any]  # one entry of a CONDITIONING: [text (rows, tokens, channels), further keys]


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

    All rows get the token length of the longest: a shorter one keeps its chunks, and the encoded empty
    prompt follows as often as needed, as *Conditioning (Concat)* would append it. With a clip schedule there
    is one entry for each of its ranges.
    Raises ValueError for a text encoder whose texts can't be brought to one length, or that gives more than
    text and pooled vectors.
    """
    if clip is None:
        raise ValueError("clip: none arrived; does the checkpoint hold a text encoder? Load CLIP loads one")
    encoded = [_encode(clip, prompt) for prompt in prompts]
    by_range = list(zip(*encoded, strict=True))
    lengths = [entry[0][0].shape[1] for entry in encoded]
    if len(set(lengths)) > 1:
        empty = _encode(clip, "")
        _refuse_unless_chunked(clip, prompts, lengths, chunk=empty[0][0].shape[1])
        by_range = [
            tuple(_lengthened(entry, blank[0], max(lengths)) for entry in entries)
            for entries, blank in zip(by_range, empty, strict=True)
        ]
    return [_stacked(entries) for entries in by_range]


def _encode(clip: "CLIP", prompt: str) -> list[Entry]:
    entries: list[Entry] = clip.encode_from_tokens_scheduled(clip.tokenize(prompt), show_pbar=False)
    return entries


def _refuse_unless_chunked(clip: "CLIP", prompts: list[str], lengths: list[int], chunk: int) -> None:
    """CLIP encodes chunks of 77 tokens one by one; other encoders let every token see the whole text."""
    tokens = [clip.tokenize(prompt) for prompt in prompts]
    if all(len(piece) == chunk for each in tokens for pieces in each.values() for piece in pieces):
        return
    shortest, longest = lengths.index(min(lengths)), lengths.index(max(lengths))
    raise ValueError(
        f"prompts: this text encoder makes {lengths[shortest]} tokens of {prompts[shortest]!r} but "
        f"{lengths[longest]} of {prompts[longest]!r}, and only the CLIP encoders of SD1.5, SD2 and SDXL have "
        "chunks to fill up with; shorten the longer prompt or sample the images one by one"
    )


def _lengthened(entry: Entry, blank: torch.Tensor, length: int) -> Entry:
    text, further = entry
    missing = (length - text.shape[1]) // blank.shape[1]
    return [torch.cat([text, *[blank] * missing], dim=1), further]


def _stacked(entries: tuple[Entry, ...]) -> Entry:
    """The entries as one: text and pooled vectors row by row, every other key as all of them have it."""
    further = dict(entries[0][1])
    if len(entries) == 1:  # whatever its encoder gives with it
        return [entries[0][0], {"pooled_output": None, **further}]
    pooled = [entry[1].get("pooled_output") for entry in entries]
    for key in further.keys() - {"pooled_output"}:
        values = [entry[1].get(key) for entry in entries]
        if isinstance(values[0], torch.Tensor) or any(value != values[0] for value in values):
            raise ValueError(
                f"clip: this text encoder gives {key!r} with each prompt, which can't be joined into one "
                "batch; that works for the CLIP encoders of SD1.5, SD2 and SDXL. Sample the images one by one"
            )
    further["pooled_output"] = None if pooled[0] is None else torch.cat(pooled)
    return [torch.cat([entry[0] for entry in entries]), further]
