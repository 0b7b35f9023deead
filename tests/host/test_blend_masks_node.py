"""BlendMasks: the masks of a run as MASK, found again by the pictures that the run made."""

import pytest
import torch
from attention_control.attention_patches.methods.prompt_to_prompt.mask_store import MaskStore
from attention_control.nodes.edit.blend_masks_node import BlendMasks

from .editing import change, run
from .node_calls import call_node

EDITS = "a red dog, on the stairs\na blue cat, on the stairs"
PROJECTION = torch.linspace(-1, 1, 12).view(4, 3)


def pictured(latents):
    """Pictures (images, H, W, 3) of latents, eight times as large."""
    large = latents.float().repeat_interleave(8, 2).repeat_interleave(8, 3)
    return (large.movedim(1, -1) @ PROJECTION / 20 + 0.5).clamp(0, 1)


def masks_of(store, image):
    """The node's output."""
    with torch.inference_mode():
        return call_node(BlendMasks, store, image)[0]


def blended(clip, **more):
    """The outputs of PromptToPrompt for pictures of 16 x 24 cells, whose maps have 4 x 6."""
    latent = {"samples": torch.zeros(1, 4, 16, 24)}
    given = {"edits": EDITS, "latent": latent, "blend_words": "cat, dog", "blend_threshold": 0.95, **more}
    return change(clip, shape="sd15", **given)


def test_masks_are_where_edits_differ(clip):
    """What is outside of a mask is the source's; there is a mask for every picture, of its size."""
    outputs = blended(clip)
    out = run(outputs, sampler="dpmpp_2m")
    masks = masks_of(outputs[4], pictured(out))
    assert masks.shape == (3, 128, 192) and set(masks.unique().tolist()) == {0.0, 1.0}
    differs = (out[1:] != out[:1]).any(1)
    assert torch.equal(differs, masks[1:, ::8, ::8] > 0)
    assert bool((masks[1:] >= masks[:1]).all())


def test_pictures_of_an_earlier_run_find_their_masks(clip):
    """As the host's cache may bring them back."""
    outputs = blended(clip)
    first = run(outputs)
    expected = masks_of(outputs[4], pictured(first))
    for seed in (1, 2, 3):
        again = run(outputs, seed=seed)
    assert torch.equal(masks_of(outputs[4], pictured(first)), expected)
    assert not torch.equal(masks_of(outputs[4], pictured(again)), expected)


def test_pictures_of_a_run_without_masks_are_not_given_anothers(clip):
    """It ended before the blend began."""
    outputs = blended(clip, blend_from=0.5)
    run(outputs)
    other = run(outputs, seed=5, between=(0, 1))
    with pytest.raises(ValueError, match=r"masks: nothing was kept of the run that made .*: no map of the"):
        masks_of(outputs[4], pictured(other))


def test_a_first_run_without_masks_says_why(clip):
    """And pictures of another shape are not its own."""
    outputs = blended(clip, blend_from=0.5)
    only = run(outputs, between=(0, 1))
    with pytest.raises(ValueError, match=r"masks: nothing was kept of the run that made .*: no map of the"):
        masks_of(outputs[4], pictured(only))
    run(outputs, seed=5)
    with pytest.raises(ValueError, match=r"masks: nothing was kept of the run that made .*: no map of the"):
        masks_of(outputs[4], pictured(only))
    with pytest.raises(ValueError, match=r"image: 128 x 192 pixels, .* of a latent of 24 x 16 cells"):
        masks_of(outputs[4], pictured(only).transpose(1, 2))


def test_without_a_blend_there_are_none(clip):
    """Said with what to do; and so is another number of pictures."""
    outputs = change(clip, edits=EDITS)
    out = run(outputs)
    with pytest.raises(ValueError, match=r"masks: nothing has been blended yet\. Write `blend_words`"):
        masks_of(outputs[4], pictured(out))
    store = MaskStore()
    store.add(out, torch.ones(3, 6, 10))
    with pytest.raises(ValueError, match=r"image: 1 pictures, and the blend has masks of 3"):
        masks_of(store, pictured(out[:1]))
