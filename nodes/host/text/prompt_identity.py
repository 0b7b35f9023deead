"""Which prompt a conditioning was made of, so that a node acts on the text that is its own."""

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ....attention_patches.contract.call.site import Prompt
from .one_length import Entry
from .prompt_batch import encode_rows

MARK = "attention_control_prompt"  # a key of a conditioning, which nodes that change it carry along


def encode_own(clip: Any, *prompts: str) -> tuple[list[Entry], Prompt]:
    """Prompts, one for each image, as CONDITIONING that is marked as their own, and what to know it by."""
    text = "\n".join(prompts)
    entries = [[vectors, {**more, MARK: text}] for vectors, more in encode_rows(clip, list(prompts))]
    return entries, Prompt(text, digest_of(entries[0][0]) or "")


def prompt_of(entry: Mapping[str, Any]) -> Prompt | None:
    """The prompt of an entry as the host's guider holds it."""
    vectors = entry.get("cross_attn")
    if not isinstance(vectors, Tensor):
        return None
    return Prompt(entry.get(MARK), digest_of(vectors) or "")


def digest_of(tensor: Tensor | None) -> str | None:
    """Sixteen letters that follow from a tensor's values, as float32."""
    if tensor is None:
        return None
    values = tensor.detach().to("cpu", torch.float32).contiguous().numpy()
    return hashlib.blake2b(values.tobytes(), digest_size=8).hexdigest()
