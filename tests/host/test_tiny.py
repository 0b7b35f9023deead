"""The tiny models themselves: are they what the other tests take them for?"""

import pytest
import torch

from .specimen import SHALLOW, SHALLOW_XL, fresh_model
from .tiny import (
    assert_same_image,
    conditioning,
    every_image,
    only_image,
    prolonged,
    sample,
    split_calls,
    spy_calls,
    tiny_model,
)


def prompts(model, rows=1):
    """A positive conditioning of `rows` rows and a negative of one."""
    return conditioning(model, rows, seed=1), conditioning(model, seed=2)


def change_reaches(model, kind):
    """How far the image moves, relatively, when a single block's attention ("attn1", "attn2") gives zeros."""
    both = prompts(model)
    plain = sample(model, *both, batch=1, steps=1)
    moved = []
    for name, module in model.model.diffusion_model.named_modules():
        if name.endswith(kind):
            handle = module.register_forward_hook(lambda _module, _inputs, out: torch.zeros_like(out))
            moved.append((sample(model, *both, batch=1, steps=1) - plain).abs().mean() / plain.abs().mean())
            handle.remove()
    return torch.stack(moved)


ATTENTIONS = {"sd15": 7, "sd2": 7, "sdxl": 11, SHALLOW: 4, SHALLOW_XL: 5}


@pytest.mark.parametrize("kind", ["attn1", "attn2"])
@pytest.mark.parametrize("shape", ATTENTIONS)
def test_every_attention_shows_in_the_image(shape, kind):
    """No single attention of the network can be lost without the image showing it."""
    moved = change_reaches(fresh_model(shape), kind)
    assert len(moved) == ATTENTIONS[shape]
    assert (moved > 1e-3).all(), moved


def test_same_seed_same_image(shape):
    """Two models of one seed draw the same image, and another seed another."""
    runs = [sample(m, *prompts(m), batch=2, steps=1) for m in (tiny_model(shape, s) for s in (3, 3, 4))]
    assert torch.equal(runs[0], runs[1])
    assert not torch.allclose(runs[0], runs[2], atol=0.1)
    assert runs[0].isfinite().all()


def test_image_of_a_batch_is_the_image_alone(shape):
    """With `images` and `only_image` one image of a batch is drawn by itself, at odd sizes too."""
    model = tiny_model(shape)
    positive, negative = prompts(model, rows=3)
    batch = sample(model, positive, negative, batch=3, height=7, width=11, steps=1)
    for image in (0, 2):
        how = {"images": [image], "height": 7, "width": 11, "steps": 1}
        alone = sample(model, only_image(positive, image), negative, batch=1, **how)
        assert_same_image(alone[0], batch[image])


def test_prompts_and_pooled_vectors_matter(shape):
    """Another text gives another image, another order of tokens does not; SDXL heeds the pooled vector."""
    model = tiny_model(shape)
    positive, negative = prompts(model)
    once = {"batch": 1, "steps": 1}
    plain = sample(model, positive, negative, **once)
    reordered_text = [[positive[0][0].flip(1), positive[0][1]]]
    other_pooled = [[positive[0][0], {"pooled_output": -positive[0][1]["pooled_output"]}]]
    assert (sample(model, conditioning(model, seed=9), negative, **once) - plain).abs().mean() > 0.01
    assert ((sample(model, other_pooled, negative, **once) - plain).abs().mean() > 0.01) == (shape == "sdxl")
    assert_same_image(sample(model, reordered_text, negative, **once), plain)


def test_chunks_share_a_call_or_not(shape):
    """One call, or two in either order if memory is short or lengths differ: the same image."""
    model = tiny_model(shape)
    positive, negative = prompts(model, rows=2)
    with spy_calls(model) as calls:
        together = sample(model, positive, negative, batch=2, steps=1)
        with split_calls(model, rows=2):
            split = sample(model, positive, negative, batch=2, steps=1)
        other_order = sample(model, positive, prolonged(negative), batch=2, steps=1)
        one_chunk = sample(model, positive, negative, batch=2, steps=1, cfg=1.0)
    assert [call.cond_or_uncond for call in calls] == [(1, 0), (1,), (0,), (0,), (1,), (0,)]
    assert [call.shape[0] for call in calls] == [4, 2, 2, 2, 2, 2]
    assert_same_image(split, together)
    assert_same_image(other_order, together)
    assert not torch.allclose(one_chunk, together, atol=0.01)


@pytest.mark.parametrize("shape", ["sdxl"])
def test_every_image_writes_a_row_out(shape):
    """One prompt for all images and the same prompt written out per image are the same run."""
    model = tiny_model(shape)
    positive, negative = prompts(model)
    one_prompt = sample(model, positive, negative, batch=3)
    assert_same_image(sample(model, every_image(positive, 3), negative, batch=3), one_prompt)


@pytest.mark.parametrize(
    ("shape", "dtype"), [("sd15", torch.float16), ("sd2", torch.bfloat16), ("sdxl", torch.float16)]
)
def test_half_precision_stays_near(shape, dtype):
    """The half-precision models are the float32 model, rounded."""
    models = [tiny_model(shape), tiny_model(shape, dtype=dtype)]
    full, half = (sample(model, *prompts(model), batch=1, steps=1) for model in models)
    assert 0 < (half - full).abs().mean() < 0.05 * full.abs().mean()
