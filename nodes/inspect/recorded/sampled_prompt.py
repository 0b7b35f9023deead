"""Whether a prompt that a user has typed is the one that a recorded run was sampled with."""

import logging
from typing import Any

from ....attention_patches.maps.recorded import AttentionMaps
from ...host.text.clip_tokens import ENCODERS, text_tokens
from ...host.text.prompt_identity import encode_own


def doubt_of_prompt(maps: AttentionMaps, clip: Any, prompt: str, role: str = "positive") -> str | None:
    """What is said, also in the log, where a prompt is not the one that was sampled with; None where it is.

    It is known by its text where a node of this pack has encoded it, otherwise by its vectors, for which it
    is encoded once more; the encoders of language models are too large to be asked for that. Nothing is
    doubted of maps from files, and where images have had prompts of their own.
    """
    sampled = maps.prompts.get(role)
    if sampled is None or sampled.text == prompt or not text_tokens(clip, prompt).keys() <= ENCODERS:
        return None
    if encode_own(clip, prompt)[1].same(sampled):
        return None
    what = "" if sampled.text is None else f", which is {sampled.text!r}"
    doubt = (
        f"prompt: it is not what the pictures were sampled with{what}, or that was changed behind its "
        "encoder; so words may be shown in others' places. Type it as it is in the node that encodes it, "
        "and connect the same `clip`."
    )
    logging.warning("[Attention Control] %s", doubt)
    return doubt
