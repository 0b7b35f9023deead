"""The original's prompt and those of its proxies, encoded for one batch, and told of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ....attention_patches.contract.call.site import Prompt
from ...host.text.clip_tokens import text_tokens
from ...host.text.one_length import Entry
from ...host.text.prompt_identity import encode_own
from ...host.text.proxy_words import near_words
from .object_prompt import ObjectPrompt, proxy_lines


@dataclass(frozen=True)
class Proxies:
    """The words that stand in for the object's; if they were found, how near each is to it."""

    words: tuple[str, ...]
    likeness: tuple[float, ...] = ()


def choose_proxies(clip: Any, prompt: ObjectPrompt, written: str, count: int) -> Proxies:
    """The words that are written, all of them; if there are none, so many found among the encoder's."""
    words = proxy_lines(written)
    if words:
        return Proxies(tuple(words))
    found = near_words(clip, prompt.word, prompt.of, count)
    return Proxies(tuple(one.word for one in found), tuple(one.likeness for one in found))


@dataclass(frozen=True)
class VariedPrompts:
    """The CONDITIONING, a row for each prompt, the original's first; what it is known by in a run; which
    images have the original's prompt."""

    conditioning: list[Entry]
    identity: Prompt
    same: frozenset[int]


def encode_varied(clip: Any, prompt: ObjectPrompt, proxies: Sequence[str]) -> VariedPrompts:
    """Encode P(w) and every P(w').

    The pooled vector, which SDXL knows a prompt by beside cross-attention, is the original's in all rows, for
    only the values of cross-attention are a proxy's.
    """
    entries, identity = encode_own(clip, prompt.original, *(prompt.of(proxy) for proxy in proxies))
    images = range(1, len(proxies) + 1)
    same = frozenset(i for i in images if all(torch.equal(text[i], text[0]) for text, _ in entries))
    return VariedPrompts([[text, _of_the_original(more)] for text, more in entries], identity, same)


def _of_the_original(more: dict[str, Any]) -> dict[str, Any]:
    pooled = more.get("pooled_output")
    if pooled is None:
        return more
    return {**more, "pooled_output": pooled[:1].repeat(len(pooled), 1)}


def describe(clip: Any, prompt: ObjectPrompt, proxies: Proxies) -> str:
    """A line for each image; where proxies were found, how near they are."""
    own = _length(clip, prompt.original)
    lines = [f"Image 0, the original: {prompt.original}"]
    for image, proxy in enumerate(proxies.words, start=1):
        text = prompt.of(proxy)
        more = _length(clip, text) - own
        paired = f" ({abs(more)} tokens {'more' if more > 0 else 'fewer'}: paired by place)" if more else ""
        same = " (the same prompt: the original)" if text == prompt.original else ""
        lines.append(f"Image {image}, shape of {proxy}: {text}{paired}{same}")
    if proxies.likeness:
        near = ", ".join(f"{w} {x:.2f}" for w, x in zip(proxies.words, proxies.likeness, strict=True))
        lines.append(f"Found among the encoder's words, by likeness to {prompt.word} (cosine): {near}")
    return "\n".join(lines)


def _length(clip: Any, text: str) -> int:
    return len(next(iter(text_tokens(clip, text).values())))
