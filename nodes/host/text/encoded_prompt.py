"""A prompt as an alignment sees it: its words, the tokens that spell them, and how long its row is."""

from collections.abc import Hashable
from typing import Any

from torch import Tensor

from ....attention_patches.text.token_roles import EncodedPrompt
from ....attention_patches.text.words import PromptTokens
from .clip_tokens import prompt_tokens, text_tokens
from .language_models import reader_of
from .prompt_identity import digest_of


def encoded_prompt(clip: Any, prompt: str, length: int) -> EncodedPrompt:
    """The prompt in a row of so many tokens. Raises ValueError for encoders whose words cannot be found."""
    tokens, streams = prompt_tokens(clip, prompt), text_tokens(clip, prompt)
    reader = reader_of(streams)
    if reader is not None:
        return EncodedPrompt(tokens, reader.values(clip, prompt), length, length)
    stream = next(iter(streams.values()))
    chunk = len(next(iter(clip.tokenize("").values()))[0])
    return EncodedPrompt(tokens, {token.position: _value(token.value) for token in stream}, length, chunk)


def unaligned_prompt(clip: Any, prompt: str, length: int, *, worded: bool) -> EncodedPrompt:
    """The prompt in a row of so many tokens; its words are found if they are wanted, and aligned to nothing.
    Raises ValueError for encoders whose words cannot be found."""
    tokens = prompt_tokens(clip, prompt) if worded else PromptTokens(prompt, ())
    return EncodedPrompt(tokens, {}, length, length)


def _value(value: int | Tensor) -> Hashable:
    """The number of a token, or letters that follow from the vector of an embedding."""
    return digest_of(value) if isinstance(value, Tensor) else value
