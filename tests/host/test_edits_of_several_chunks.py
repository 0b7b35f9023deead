"""PromptToPrompt and ShapeVariations with prompts of more than one chunk of CLIP's."""

import pytest
import torch
from attention_control.nodes.edit.shape_variations_node import ShapeVariations

from .edited_maps import assert_equal, looks_of
from .editing import change, run
from .node_calls import call_node
from .one_noise_runs import empty
from .specimen import SHALLOW, model
from .tiny import conditioning, sample

TAIL = ", a red fox on the stairs" * 13
FILLED = (
    "Another prompt has more chunks of 77 tokens, so an encoded empty chunk stands behind the prompt of "
    "image 0; the prompt alone gives a slightly other picture."
)


def alone(clip, prompt):
    """The picture of one prompt as the host encodes it, of the same noise."""
    with torch.inference_mode():
        text, pooled = clip.encode_from_tokens(clip.tokenize(prompt), return_pooled=True)
    negative = conditioning(model(SHALLOW), seed=2)
    start = {"latent": empty()["samples"], "images": [0], "steps": 3}
    return sample(model(SHALLOW), [[text, {"pooled_output": pooled}]], negative, **start)[0]


@pytest.mark.parametrize(("edit", "filled"), [("a red dog", False), ("a red dog" + TAIL, True)])
def test_a_source_that_is_filled_up_is_told(clip, report, edit, filled):
    """It is what its prompt alone gives, or else the node's report and the run's say why it is not quite."""
    outputs = change(clip, "a red cat", edit)
    out = run(outputs)
    assert torch.allclose(out[0], alone(clip, "a red cat"), rtol=1e-3, atol=1e-3) != filled
    assert (FILLED in outputs[3], FILLED in report("PromptToPrompt")[0][1]) == (filled, filled)


@pytest.mark.parametrize(("proxy", "filled"), [("dog", False), ("dog" + TAIL, True)])
def test_an_original_that_is_filled_up_is_told(clip, report, proxy, filled):
    """As a source is."""
    settings = {"prompt": "a red {cat}", "proxies": proxy, "latent": empty(), "keep_background": False}
    with torch.inference_mode():
        outputs = call_node(ShapeVariations, model(SHALLOW), clip, **settings)
    out = run(outputs, steps=3)
    assert torch.allclose(out[0], alone(clip, "a red cat"), rtol=1e-3, atol=1e-3) != filled
    assert (FILLED in outputs[4], FILLED in report("ShapeVariations")[0][1]) == (filled, filled)


def test_words_of_the_second_chunk_are_edited(clip):
    """A word there is swapped, `cat#2` is the second occurrence there and no other, and what stands in both
    chunks takes the source's."""
    source = "a cat" + TAIL + ", a cat"
    outputs = change(clip, source, f"a cat{TAIL}, a dog\n{source}", reweight="cat#2: 3", cross_until=1.0)
    chunks = clip.tokenize(source)["l"]
    ids = [token for chunk in chunks for token, _ in chunk]
    (word,) = [token for token, _ in clip.tokenize("cat")["l"][0][1:2]]
    first, second = [place for place, token in enumerate(ids) if token == word]
    assert len(chunks) == 2 and first == 2 and second > 77
    looks, _ = looks_of(outputs, steps=2)
    for look in (look for look in looks if look.kind == "cross"):
        assert look.own.shape[-1] == 154
        assert_equal(look, 1, look.own[0])
        weighed = look.own[2].clone()
        weighed[..., second] *= 3
        assert_equal(look, 2, weighed)
