"""Anima, whose network reads one prompt's tokens for all rows: rows that its adapter has read at the node."""

from functools import cache

import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.ops
import comfy.sd
import comfy.supported_models
import comfy.text_encoders.anima
import pytest
import torch
from attention_control.nodes.edit.prompt_to_prompt_node import PromptToPrompt
from attention_control.nodes.edit.shape_variations_node import ShapeVariations
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.text.anima_prompts import with_adapter
from comfy.ldm.anima.model import LLMAdapter
from comfy.supported_models_base import ClipTarget

from .node_calls import call_node
from .tiny import assert_same_image, sample
from .tiny.transformer_shapes import COSMOS
from .tiny.transformers import transformer
from .tiny.weights import fill_randomly

QWEN = {
    "hidden_size": 40,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "intermediate_size": 40,
    "vocab_size": 151936,
}
PROMPTS = ("a red fox", "a blue hedgehog")


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


@cache
def anima():
    """A MODEL with a small adapter in the place of the host's, whose size is fixed."""
    config = comfy.supported_models.Anima({**COSMOS})
    config.set_inference_dtype(torch.float32, None)
    with torch.inference_mode():
        model = comfy.model_base.Anima(config, device=torch.device("cpu"))
        sizes = {"source_dim": 40, "target_dim": 40, "model_dim": 40, "num_layers": 1, "num_heads": 2}
        adapter = LLMAdapter(**sizes, operations=comfy.ops.disable_weight_init)
        model.diffusion_model.llm_adapter = adapter
        fill_randomly(model.diffusion_model, 0)
    devices = comfy.model_management.get_torch_device(), comfy.model_management.unet_offload_device()
    return comfy.model_patcher.CoreModelPatcher(model, load_device=devices[0], offload_device=devices[1])


@cache
def clip():
    target = ClipTarget(comfy.text_encoders.anima.AnimaTokenizer, comfy.text_encoders.anima.te())
    with torch.inference_mode():
        made = comfy.sd.CLIP(target, model_options={"qwen3_06b_model_config": QWEN})
        fill_randomly(made.cond_stage_model, 0)
    return made


def encoded(prompt):
    """As the host's node does it."""
    return clip().encode_from_tokens_scheduled(clip().tokenize(prompt))


def painted(model, positive, images):
    latent = torch.zeros(len(images), 16, 1, 7, 12)
    how = {"latent": latent, "images": images, "steps": 1, "scheduler": "simple"}
    return sample(model, positive, encoded("nothing"), **how)


def test_each_row_is_the_picture_of_its_prompt_alone():
    """The host's own for each, of unequal lengths; edits then take over what the source's words see."""
    source, edit = PROMPTS
    latent = {"samples": torch.zeros(1, 16, 7, 12)}
    patched, rows, *_ = call_node(
        PromptToPrompt, anima(), clip(), source_prompt=source, edit_prompts=edit, latent=latent
    )
    assert rows[0][0].shape == (2, 512, 40)
    together = painted(anima(), rows, [0, 0])
    for row, prompt in enumerate(PROMPTS):
        assert_same_image(together[row : row + 1], painted(anima(), encoded(prompt), [0]))
    edited = painted(patched, rows, [0, 0])
    assert torch.equal(edited[0], together[0]) and not torch.allclose(edited[1], together[1], rtol=0.01)
    of_shapes = call_node(
        ShapeVariations, anima(), clip(), prompt="a red {fox}", proxies="hedgehog", latent=latent
    )
    assert of_shapes[1][0][0].shape == (2, 512, 40)
    assert with_adapter(clip(), transformer("cosmos")) is clip()
    (text, more), family = encoded(source)[0], family_of(anima())
    assert text.shape[1] < 512 == family.text_tokens(text.shape[1], more)
