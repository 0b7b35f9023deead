"""What each method does where the model sees the picture in windows."""

import re

import pytest
import torch
from attention_control.attention_patches.methods.multidiffusion.method import MultiDiffusion
from attention_control.nodes.host.run.install import install
from comfy_extras.nodes_pag import PerturbedAttentionGuidance
from comfy_extras.nodes_sag import SelfAttentionGuidance

from . import naive
from .layout_runs import SHALLOW_WAYS, encoded, noise, run
from .methods import METHODS
from .naive_windows import panorama
from .specimen import IMAGES, SHALLOW, blocks, model
from .test_parts_of_a_picture import ACROSS, HALVES, LEFT, RIGHT
from .tiny import assert_same_image, conditioning, sample

MASKS, FOUND, GUIDED_MASKS, GUIDED = WAYS = SHALLOW_WAYS
LOSSES = re.compile(r"looks?, (loss \S+ -> \S+)\.")
WINDOWS = {"window": (4, 6), "stride": 2}
WIDE = {"batch": IMAGES, "height": 6, "width": 10}
NAMES = ("style aligned", "prompt to prompt", "shape variations")
IN_WINDOWS = [method for method in METHODS if method.name in NAMES]


def windows(on, **settings):
    return install(on, MultiDiffusion(**{**WINDOWS, **settings}))


def prompts():
    return conditioning(model(SHALLOW), IMAGES, seed=1), conditioning(model(SHALLOW), seed=2)


@pytest.mark.parametrize("method", IN_WINDOWS, ids=lambda method: method.name)
def test_methods_of_a_batch_work_in_each_window(method):
    """A window of all images is a batch like any other, before or after the windows' node."""
    plain = naive.replace_attention(model(SHALLOW), method.kinds, method.chunk, blocks(model(SHALLOW)))
    how = {**WIDE, "steps": 1}
    expected = sample(panorama(plain, **WINDOWS), *prompts(), **how)
    assert_same_image(sample(method.on(windows(model(SHALLOW))), *prompts(), **how), expected, 1e-3)
    assert_same_image(sample(windows(method.on(model(SHALLOW))), *prompts(), **how), expected, 1e-3)


def test_boxes_are_cut_to_windows(clip):
    """Two windows that share nothing are two pictures, each with its part of the boxes."""
    patched, own = MASKS(clip, boxes=ACROSS)
    negative = encoded(clip, "")
    whole = run(windows(patched, window=(16, 8), stride=8), own, negative, noise(), steps=2)
    for columns, boxes in zip((LEFT, RIGHT), HALVES, strict=True):
        alone, prompt = MASKS(clip, boxes=boxes, width=64)
        expected = run(alone, prompt, negative, noise()[..., columns], steps=2)
        assert_same_image(whole[..., columns], expected, tolerance=1e-3)


def test_guidance_looks_at_the_whole_picture(clip, report):
    """It shifts the latents before anybody looks through windows, by the attention of one pass."""
    patched, own = GUIDED(clip, boxes=ACROSS)
    negative = encoded(clip, "")
    run(patched, own, negative, noise())
    (*_, (_, whole)) = report(GUIDED.label)
    run(windows(patched, window=(16, 8), stride=4), own, negative, noise())
    (*_, (_, ours)) = report(GUIDED.label)
    assert LOSSES.findall(whole) == LOSSES.findall(ours) != []


@pytest.mark.parametrize("name", ["cross image", "plug and play"])
def test_pictures_that_are_seen_whole(report, name):
    """Are not followed in windows, and the report says so."""
    (method,) = [method for method in METHODS if method.name == name]
    plain = sample(windows(model(SHALLOW)), *prompts(), **WIDE)
    assert_same_image(sample(windows(method.on(model(SHALLOW))), *prompts(), **WIDE), plain)
    assert any(level == "WARNING" and "in windows" in line for level, line in report())


@pytest.mark.parametrize(
    ("name", "without", "what"),
    [
        ("prompt to prompt, blended", {"blend": None}, "Nothing was blended"),
        ("shape variations, background", {"named": None}, "No background was blended"),
    ],
)
def test_blends_are_left_out(report, name, without, what):
    """Their masks are found in the whole picture, and the report says so."""
    (method,) = [method for method in METHODS if method.name == name]
    how = {**WIDE, "images": [0, 0, 0], "steps": 4}
    blended = sample(windows(method.on(model(SHALLOW))), *prompts(), **how)
    assert any(what in line for _, line in report())
    assert_same_image(blended, sample(windows(method.on(model(SHALLOW), **without)), *prompts(), **how))


def test_perturbed_attention_guidance(clip):
    """Works in each window: two that share nothing are two pictures."""
    guided = PerturbedAttentionGuidance.execute(model(SHALLOW), 3.0)[0]
    texts = encoded(clip, "a red cat"), encoded(clip, "")
    whole = run(windows(guided, window=(16, 8), stride=8), *texts, noise(), steps=2)
    for columns in (LEFT, RIGHT):
        assert_same_image(whole[..., columns], run(guided, *texts, noise()[..., columns], steps=2), 1e-3)


def test_self_attention_guidance_is_refused():
    """By name: it would take the attention of one window for the whole picture's."""
    guided = SelfAttentionGuidance.execute(model(SHALLOW), 0.5, 2.0)[0]
    with pytest.raises(ValueError, match=r"Self-Attention Guidance .* Take Perturbed-Attention Guidance"):
        sample(windows(guided), *prompts(), **WIDE)
    one = windows(guided, window=(99, 99))
    assert torch.equal(sample(one, *prompts(), **WIDE), sample(guided, *prompts(), **WIDE))


def test_windows_of_a_windows_call_are_not_cut_again(report):
    """Where another node has cut the picture, its part is left as it is, and the report says so."""
    patched = windows(model(SHALLOW))
    cut = panorama(patched, window=(6, 8), stride=2)
    expected = panorama(model(SHALLOW), window=(6, 8), stride=2)
    assert torch.equal(sample(cut, *prompts(), **WIDE), sample(expected, *prompts(), **WIDE))
    assert any("another patch cuts the picture" in line for _, line in report())
