"""Cross-Image Attention with a LoRA loaded, against the naive version on a model of the changed weights."""

from functools import cache

import comfy.hooks
import comfy.sd
import pytest
import torch

from .specimen import SHALLOW, fresh_model, model
from .test_cross_image import OURS, paper_places, transfer
from .tiny import assert_same_image
from .tiny.extras import tiny_lora
from .transfers import authors_way, inverted, prompt, sampled

LAYERS = ("to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.2")
STRENGTH = 0.15  # random weights that are changed much more make large differences of rounding errors
PREFIX = "diffusion_model."


def lora(shape):
    return tiny_lora(model(shape).model.diffusion_model, PREFIX, LAYERS)


@cache
def loaded(shape):
    """The model as LoraLoaderModelOnly gives it."""
    return comfy.sd.load_lora_for_models(model(shape), None, lora(shape), STRENGTH, 0.0)[0]


def changed(shape):
    """A model whose weights are W + strength * up down, without anything of the host's on it."""
    patcher, file = fresh_model(shape), lora(shape)
    weights = patcher.model.diffusion_model.state_dict()
    ups = {name.removeprefix(PREFIX): up for name, up in file.items() if name.endswith(".lora_up.weight")}
    with torch.inference_mode():
        for name, up in ups.items():
            down = file[PREFIX + name.replace("lora_up", "lora_down")]
            weight = weights[name.replace("lora_up.", "")]
            weight += STRENGTH * (up @ down).reshape(weight.shape)
    return patcher


def pair(shape, patcher):
    return inverted(shape, 1, patcher=patcher), inverted(shape, 2, patcher=patcher)


def theirs(shape, inversions, patcher):
    places = paper_places(shape)
    return authors_way(
        shape,
        *inversions,
        places=places,
        first=1,
        swapped=range(1, 7),
        adain_from=3,
        every=2,
        patcher=patcher,
    )


@cache
def ours(shape):
    """By the model with the LoRA."""
    inversions = pair(shape, loaded(shape))
    return sampled(transfer(shape, *inversions, patcher=loaded(shape), **OURS), prompt(shape))


@cache
def expected(shape):
    """By the changed weights."""
    return theirs(shape, pair(shape, loaded(shape)), changed(shape))


@pytest.mark.parametrize("shape", [SHALLOW, "sdxl"])
def test_with_a_lora_it_equals_the_authors_way(shape):
    """With changes in attention, projections and feed-forward layers."""
    assert_same_image(ours(shape), expected(shape), tolerance=2e-3)


def test_the_lora_matters():
    """On the plain weights the naive version gives something else."""
    plain = theirs(SHALLOW, pair(SHALLOW, loaded(SHALLOW)), model(SHALLOW))
    with pytest.raises(AssertionError, match="differs by"):
        assert_same_image(ours(SHALLOW), plain, tolerance=0.05)


def test_a_lora_on_the_prompt_reaches_both_pictures():
    """The host's hook: weights change while this prompt is computed, for the guests of a step as well."""
    inversions = pair(SHALLOW, loaded(SHALLOW))
    hooks = comfy.hooks.create_hook_lora(lora(SHALLOW), STRENGTH, 0.0)
    hooked = [[text, {**more, "hooks": hooks}] for text, more in prompt(SHALLOW)]
    found = sampled(transfer(SHALLOW, *inversions, **OURS), hooked)
    assert_same_image(found, expected(SHALLOW), tolerance=2e-3)


def test_a_lora_that_was_not_there_at_the_inversion_is_told(report):
    """The pictures' states are those of other weights; the run goes on and the report says so."""
    inversions = pair(SHALLOW, None)
    sampled(transfer(SHALLOW, *inversions, patcher=loaded(SHALLOW), **OURS), prompt(SHALLOW))
    line = report("CrossImageAttention")[0][1]
    for name in ("structure", "appearance"):
        assert f"The {name}: the inversion was made with nothing loaded on the model" in line
