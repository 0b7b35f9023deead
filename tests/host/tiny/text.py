"""Tiny random text encoders in the host's own CLIP classes."""

from typing import Any

import comfy.sd
import comfy.sd1_clip
import comfy.sdxl_clip
import comfy.text_encoders.flux
import comfy.text_encoders.genmo
import comfy.text_encoders.hidream
import comfy.text_encoders.hunyuan_image
import comfy.text_encoders.sd2_clip
import comfy.text_encoders.z_image
import torch
from comfy.supported_models_base import ClipTarget

from .models import POOLED
from .weights import fill_randomly


def tiny_clip(kind: str, seed: int = 0) -> comfy.sd.CLIP:
    """A CLIP with random weights, deterministic by `seed`, as wide as `tiny_model(kind)` wants its text.

    kind: "sd15", "sd2", "sdxl" (two encoders, pooled vector); "flux" for the tiny transformer (CLIP for the
    pooled vector, T5 for the text, at least 256 tokens); or, fitting no tiny model, "mochi" (T5 with an
    attention mask), "z-image" (Qwen in a template, with a mask that masks nothing), "hidream" (Llama
    alone, whose text comes beside the other encoders') and "hunyuan-image" (Qwen, and ByT5 for what stands
    in quotes).
    """
    tokenizer, encoder, options = _parts(kind)
    with torch.inference_mode():
        clip = comfy.sd.CLIP(ClipTarget(tokenizer, encoder), model_options=options)
        if kind == "hunyuan-image":
            clip.cond_stage_model.qwen25_7b.transformer.visual = None  # the tower for pictures is never tiny
        fill_randomly(clip.cond_stage_model, seed)
    return clip


def _parts(kind: str) -> tuple[Any, Any, dict[str, Any]]:
    if kind == "sd15":
        return comfy.sd1_clip.SD1Tokenizer, comfy.sd1_clip.SD1ClipModel, {"clip_l_model_config": _clip(48)}
    if kind == "sd2":
        options = {"model_name": "clip_h", "clip_h_model_config": _clip(64)}
        return comfy.text_encoders.sd2_clip.SD2Tokenizer, comfy.text_encoders.sd2_clip.SD2ClipModel, options
    if kind == "sdxl":
        options = {"clip_l_model_config": _clip(48), "clip_g_model_config": _clip(POOLED)}
        return comfy.sdxl_clip.SDXLTokenizer, comfy.sdxl_clip.SDXLClipModel, options
    if kind == "flux":
        options = {"clip_l_model_config": _clip(48), "t5xxl_model_config": _T5}
        return comfy.text_encoders.flux.FluxTokenizer, comfy.text_encoders.flux.flux_clip(), options
    if kind == "z-image":
        options = {"qwen3_4b_model_config": _QWEN}
        return comfy.text_encoders.z_image.ZImageTokenizer, comfy.text_encoders.z_image.te(), options
    if kind == "hidream":
        encoder = comfy.text_encoders.hidream.hidream_clip(clip_l=False, clip_g=False, t5=False)
        return comfy.text_encoders.hidream.HiDreamTokenizer, encoder, {"llama_model_config": _LLAMA}
    if kind == "hunyuan-image":
        encoder = comfy.text_encoders.hunyuan_image.te()
        options = {"qwen25_7b_model_config": {**_QWEN, "num_hidden_layers": 4}, "_model_config": _T5}
        return comfy.text_encoders.hunyuan_image.HunyuanImageTokenizer, encoder, options
    assert kind == "mochi", kind
    options = {"t5xxl_model_config": _T5}
    return comfy.text_encoders.genmo.MochiT5Tokenizer, comfy.text_encoders.genmo.mochi_te(), options


_T5 = {"d_model": 40, "d_ff": 64, "d_kv": 10, "num_heads": 4, "num_layers": 2}

_QWEN = {
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "intermediate_size": 64,
    "vocab_size": 151936,
}

_LLAMA = {**_QWEN, "hidden_size": 40, "num_hidden_layers": 2, "vocab_size": 128256}


def _clip(width: int) -> dict[str, int]:
    sizes = {"hidden_size": width, "intermediate_size": 2 * width}
    return {**sizes, "num_attention_heads": 4, "num_hidden_layers": 3}
