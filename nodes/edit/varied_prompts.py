"""The original's prompt and those of its proxies, encoded for one batch, and told of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...attention_patches.contract.site import Prompt
from ..host.text.clip_tokens import text_tokens
from ..host.text.prompt_batch import Entry
from ..host.text.prompt_identity import encode_own
from .object_prompt import ObjectPrompt


@dataclass(frozen=True)
class VariedPrompts:
    """The CONDITIONING, a row for each prompt, the original's first; what it is known by in a run."""

    conditioning: list[Entry]
    identity: Prompt


def encode_varied(clip: Any, prompt: ObjectPrompt, proxies: Sequence[str]) -> VariedPrompts:
    """Encode P(w) and every P(w').

    The pooled vector, which SDXL knows a prompt by beside cross-attention, is the original's in all rows, for
    only the values of cross-attention are a proxy's.
    """
    entries, identity = encode_own(clip, prompt.original, *(prompt.of(proxy) for proxy in proxies))
    return VariedPrompts([[text, _of_the_original(more)] for text, more in entries], identity)


def _of_the_original(more: dict[str, Any]) -> dict[str, Any]:
    pooled = more.get("pooled_output")
    if pooled is None:
        return more
    return {**more, "pooled_output": pooled[:1].repeat(len(pooled), 1)}


def describe(clip: Any, prompt: ObjectPrompt, proxies: Sequence[str]) -> str:
    """A line for each image."""
    own = _length(clip, prompt.original)
    lines = [f"Image 0, the original: {prompt.original}"]
    for image, proxy in enumerate(proxies, start=1):
        text = prompt.of(proxy)
        more = _length(clip, text) - own
        paired = f" ({abs(more)} tokens {'more' if more > 0 else 'fewer'}: paired by place)" if more else ""
        same = " (the same prompt: the original)" if text == prompt.original else ""
        lines.append(f"Image {image}, shape of {proxy}: {text}{paired}{same}")
    return "\n".join(lines)


def _length(clip: Any, text: str) -> int:
    return len(next(iter(text_tokens(clip, text).values())))
