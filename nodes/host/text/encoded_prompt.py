"""A prompt as an alignment sees it: its words, the tokens that spell them, and how long its row is."""

from collections.abc import Hashable
from typing import Any

from torch import Tensor

from ....attention_patches.text.token_roles import EncodedPrompt
from .clip_tokens import ENCODERS, prompt_tokens, text_tokens
from .prompt_identity import digest_of


def encoded_prompt(clip: Any, prompt: str, length: int) -> EncodedPrompt:
    """The prompt in a row of so many tokens. Raises ValueError for encoders whose words cannot be found."""
    tokens, streams = prompt_tokens(clip, prompt), text_tokens(clip, prompt)
    if not streams.keys() <= ENCODERS:
        raise ValueError(
            "clip: prompts can be aligned for the CLIP encoders of SD1.5, SD2 and SDXL, and this text "
            f"encoder ({', '.join(streams)}) is another. Use such a model."
        )
    stream = next(iter(streams.values()))
    chunk = len(next(iter(clip.tokenize("").values()))[0])
    return EncodedPrompt(tokens, {token.position: _value(token.value) for token in stream}, length, chunk)


def _value(value: int | Tensor) -> Hashable:
    """The number of a token, or letters that follow from the vector of an embedding."""
    return digest_of(value) if isinstance(value, Tensor) else value
