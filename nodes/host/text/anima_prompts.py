"""Prompts of Anima, each of which can be a row of one CONDITIONING.

Anima's network reads a prompt by Qwen's vectors at T5's tokens, through an adapter of its own, and the host
gives it the tokens of one prompt for all rows. What comes out of the adapter is a text of 512 vectors, which
the host gives to the network as it is where no tokens come with it. So with the model at hand each prompt
goes through the adapter before it becomes a row. A LoRA for the adapter has to be on the model by then.
"""

from typing import Any

import comfy.model_management
import torch
from comfy.ldm.anima.model import Anima

from .one_length import Entry

TOKENS = ("t5xxl_ids", "t5xxl_weights")
"""The host's names for what T5 reads, in a conditioning."""

MASK = "attention_mask"  # of Qwen's vectors, which are gone by then


def with_adapter(clip: Any, model: Any) -> Any:
    """The CLIP whose conditionings have gone through the adapter of the MODEL; the same one, where it has
    none."""
    adapted = isinstance(model.get_model_object("diffusion_model"), Anima)
    return Adapted(clip, model) if adapted and clip is not None else clip


class Adapted:
    """A CLIP of Anima, but for what it encodes."""

    def __init__(self, clip: Any, model: Any) -> None:
        self.clip = clip
        self.model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self.clip, name)

    def encode_from_tokens_scheduled(self, tokens: Any, **named: Any) -> list[Entry]:
        """As the host's; each text (1, 512, channels), and no tokens beside it."""
        entries = self.clip.encode_from_tokens_scheduled(tokens, **named)
        comfy.model_management.load_models_gpu([self.model])
        return [self._read(entry) for entry in entries]

    def _read(self, entry: Entry) -> Entry:
        text, more = entry
        given = {name: more[name] for name in TOKENS}
        with torch.inference_mode():
            made = self.model.model.extra_conds(cross_attn=text, device=self.model.load_device, **given)
        read = made["c_crossattn"].cond.to(text.device, torch.float32)
        return [read, {name: value for name, value in more.items() if name not in (*TOKENS, MASK)}]
