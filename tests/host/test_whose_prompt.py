"""Whose text is it? A method acts on the rows of its own prompt, whatever else is combined with it, and says
so where its prompt is not there."""

import pytest
import torch
from attention_control.attention_patches.maps.recorded import AttentionMaps
from attention_control.nodes.inspect.attention_recorder_node import AttentionRecorder
from nodes import ConditioningSetArea

from .layout_runs import SHALLOW_WAYS, encoded, figures, noise, run
from .node_calls import call_node
from .specimen import SHALLOW, model
from .tiny import assert_same_image

MASKS, FOUND, GUIDED_MASKS, GUIDED = WAYS = SHALLOW_WAYS
SNOW = "snow, forest, night"
LONG = {"prompt": "red " * 80 + "cat", "boxes": "0 0 64 64: cat"}
QUALITY = "best quality"
both_orders = pytest.mark.parametrize("own_first", [True, False], ids=["own first", "own last"])


def combined(own, other, own_first):
    """As ConditioningCombine does."""
    return own + other if own_first else other + own


@both_orders
@pytest.mark.parametrize(
    ("settings", "other"),
    [
        pytest.param({}, SNOW, id="of one length"),
        pytest.param(LONG, QUALITY, id="own of two chunks"),
        pytest.param({}, "snow " * 160, id="other of three chunks"),
    ],
)
def test_another_text_is_left_as_it_is(clip, settings, other, own_first):
    """The host averages what two prompts say: of one step it is the mean of the bounded own prompt and of the
    plain other one."""
    patched, own = MASKS(clip, **settings)
    negative, text = encoded(clip, ""), encoded(clip, other)
    together = run(patched, combined(own, text, own_first), negative, noise(), cfg=1.0)
    alone = run(patched, own, negative, noise(), cfg=1.0)
    plain = run(model(SHALLOW), text, negative, noise(), cfg=1.0)
    assert_same_image(together, (alone + plain) / 2)
    assert not torch.allclose(alone, run(model(SHALLOW), own, negative, noise(), cfg=1.0), rtol=0.01)


@pytest.mark.parametrize("way", [FOUND, GUIDED_MASKS, GUIDED], ids=str)
def test_the_order_of_combined_texts_does_not_matter(clip, report, way):
    """Masks are found in the own text's attention, latents are shifted for it, figures are reported of it."""
    patched, own = way(clip)
    seen = []
    for own_first in (True, False):
        prompts = combined(own, encoded(clip, SNOW), own_first)
        picture = run(patched, prompts, encoded(clip, ""), noise(), steps=2)
        seen.append((picture, figures(report, way.label)))
    (first, told), (last, expected) = seen
    assert_same_image(first, last, tolerance=1e-3)
    assert told == expected != []


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_without_its_own_text_a_method_does_nothing_and_says_so(clip, report, way):
    """Another text of the same length is connected in place of the node's: the picture is a plain one and the
    report names the CONDITIONING; or the run is refused with those words."""
    patched, _ = way(clip)
    other, negative = encoded(clip, SNOW), encoded(clip, "")
    try:
        picture = run(patched, other, negative, noise(), steps=3)
    except ValueError as error:
        assert "own CONDITIONING" in str(error)
        return
    assert torch.equal(picture, run(model(SHALLOW), other, negative, noise(), steps=3))
    assert any(level == "WARNING" and "own CONDITIONING" in line for level, line in report())
    assert not any("Attention in its box" in line for _, line in report())


def test_the_same_words_from_another_encoder_node_are_its_own(clip, report):
    """Text Encode with the same prompt gives the same CONDITIONING, and an area or a mask on it stays it."""
    patched, own = MASKS(clip)
    negative = encoded(clip, "")
    expected = run(patched, own, negative, noise())
    assert torch.equal(run(patched, encoded(clip, "a red cat and a blue dog"), negative, noise()), expected)


def everywhere(prompts):
    """An area that is the whole picture, of 128 x 128 pixels."""
    (inside,) = ConditioningSetArea().append(prompts, 128, 128, 0, 0, 1.0)
    return inside


@pytest.mark.parametrize(
    ("way", "role", "steps"),
    [
        (MASKS, "positive", 1),
        (FOUND, "negative", 2),
        (GUIDED_MASKS, "positive", 1),
        (GUIDED, "negative", 1),
    ],
)
def test_an_area_of_the_whole_picture_changes_nothing(clip, report, way, role, steps):
    """For each area the host copies the text of the other role into it, under the uuid of the first."""
    patched, own = way(clip)
    prompts = {"positive": own, "negative": encoded(clip, "dull")}
    expected = run(patched, *prompts.values(), noise(), steps=steps)
    before = figures(report, way.label)
    further = {**prompts, role: prompts[role] + everywhere(prompts[role])}
    inside = {**prompts, role: everywhere(prompts[role])}
    for same in (inside, further):
        assert_same_image(run(patched, *same.values(), noise(), steps=steps), expected, tolerance=1e-3)
        assert figures(report, way.label) == before != []


@pytest.mark.parametrize("role", ["positive", "negative"])
def test_maps_are_those_of_their_role_beside_areas(clip, role):
    """What is recorded of both roles is the same with an area that is the whole picture as without one."""
    prompts = {"positive": encoded(clip, "a red cat"), "negative": encoded(clip, "dull")}
    patched, store = call_node(AttentionRecorder, model(SHALLOW), rows="both", time_bins=1)
    run(patched, *prompts.values(), noise())
    expected: AttentionMaps = store.read()
    run(patched, *{**prompts, role: everywhere(prompts[role])}.values(), noise())
    for one, two in zip(expected.layers, store.read().layers, strict=True):
        for name, maps in one.cross_attention.items():
            assert torch.allclose(maps.float(), two.cross_attention[name].float(), atol=2e-3), name
