"""Calls of the model that hold a part of the picture: an area of a prompt, whose place the host knows, is
treated as the picture that it is; of tiles nobody knows the place, and a method works on them or says so."""

import re

import pytest
import torch
from attention_control.nodes.inspect.attention_recorder_node import AttentionRecorder
from nodes import ConditioningSetArea

from . import naive
from .layout_runs import LATENT, SHALLOW_WAYS, encoded, figures, noise, run
from .methods import METHODS
from .node_calls import call_node
from .specimen import IMAGES, SHALLOW, blocks, model
from .tiles import tiled
from .tiny import assert_same_image, conditioning, sample

MASKS, FOUND, GUIDED_MASKS, GUIDED = WAYS = SHALLOW_WAYS
PART = re.compile("part of the picture")
SNOW = "snow, forest, night"
LEFT, RIGHT = slice(0, 8), slice(8, 16)  # columns of cells; both areas share a call of the model
ACROSS = "0 0 96 64: red cat\n32 64 96 64: blue dog"  # both subjects lie in both halves of 128 x 128
HALVES = [  # the same boxes as each half sees them, on 64 x 128
    "0 0 64 64: red cat\n32 64 32 64: blue dog",
    "0 0 32 64: red cat\n0 64 64 64: blue dog",
]
every_way = pytest.mark.parametrize("way", WAYS, ids=str)


def inside(prompts, columns):
    """The prompts in some of the columns, from top to bottom."""
    left, width = columns.start * 8, (columns.stop - columns.start) * 8
    (area,) = ConditioningSetArea().append(prompts, width, 128, left, 0, 1.0)
    return area


def warned(report):
    """Whether a warning says that the model got a part of the picture."""
    return any(level == "WARNING" and PART.search(line) for level, line in report())


@pytest.mark.parametrize("way", [MASKS, GUIDED_MASKS, GUIDED], ids=str)
def test_boxes_are_cut_to_the_areas_of_the_prompt(clip, way):
    """Two halves that share nothing are two pictures, each with its part of the boxes."""
    patched, own = way(clip, boxes=ACROSS)
    negative = encoded(clip, "")
    whole = run(patched, inside(own, LEFT) + inside(own, RIGHT), negative, noise(), cfg=1.0)
    for columns, boxes in zip((LEFT, RIGHT), HALVES, strict=True):
        alone, prompt = way(clip, boxes=boxes, width=64)
        expected = run(alone, prompt, negative, noise()[..., columns], cfg=1.0)
        assert_same_image(whole[..., columns], expected, tolerance=1e-3)
        plain = run(model(SHALLOW), prompt, negative, noise()[..., columns], cfg=1.0)
        assert not torch.allclose(expected, plain, rtol=0.01)


@pytest.mark.parametrize("way", [GUIDED_MASKS, GUIDED], ids=str)
def test_the_area_of_another_prompt_stays_as_it_is(clip, report, way):
    """The subjects keep to their half, and what is told is of them."""
    patched, own = way(clip, boxes=ACROSS)
    negative = encoded(clip, "")
    prompts = inside(own, LEFT) + inside(encoded(clip, SNOW), RIGHT)
    halves = run(patched, prompts, negative, noise(), cfg=1.0)
    told = figures(report, way.label)
    expected = run(model(SHALLOW), encoded(clip, SNOW), negative, noise()[..., RIGHT], cfg=1.0)
    assert_same_image(halves[..., RIGHT], expected, tolerance=1e-3)
    alone, prompt = way(clip, boxes=HALVES[0], width=64)
    assert_same_image(
        halves[..., LEFT], run(alone, prompt, negative, noise()[..., LEFT], cfg=1.0), tolerance=1e-3
    )
    assert told == figures(report, way.label) != []


@every_way
def test_a_subject_outside_the_area_of_its_prompt(clip, report, way):
    """Nothing crashes, and the figures are of the subject that has cells in the area."""
    patched, own = way(clip)
    prompts = inside(own, LEFT) + inside(encoded(clip, SNOW), RIGHT)
    assert run(patched, prompts, encoded(clip, ""), noise(), steps=2).isfinite().all()
    *_, (_, line) = report(way.label)
    assert re.search(r"red cat \d+ -> \d+ %", line)
    assert not re.search(r"blue dog \d+ -> \d+ %", line)


def test_masks_that_are_not_found_in_an_area_are_named(clip, report):
    """Outlines are looked for in the whole picture only: boxes stay, and the report says why."""
    patched, own = FOUND(clip, boxes=ACROSS)
    prompts = inside(own, LEFT) + inside(encoded(clip, SNOW), RIGHT)
    found = run(patched, prompts, encoded(clip, ""), noise(), steps=4)
    boxes, own = MASKS(clip, boxes=ACROSS)
    assert_same_image(found, run(boxes, prompts, encoded(clip, ""), noise(), steps=4))
    assert warned(report)


def test_maps_of_areas_alone_are_named(clip, report):
    """A recorder keeps maps of the whole picture: where no prompt has it, the report says so."""
    patched, store = call_node(AttentionRecorder, model(SHALLOW))
    prompts = inside(encoded(clip, "a red cat"), LEFT) + inside(encoded(clip, SNOW), RIGHT)
    run(patched, prompts, encoded(clip, ""), noise())
    assert store.maps is None
    assert any(level == "WARNING" and "whole picture" in line for level, line in report())


def test_maps_of_the_first_prompt_that_has_the_whole_picture(clip, report):
    """One in an area before it is left out, and the report says so."""
    snow, negative = encoded(clip, SNOW), encoded(clip, "")
    found = []
    for prompts in (snow, inside(encoded(clip, "a red cat"), LEFT) + snow):
        patched, store = call_node(AttentionRecorder, model(SHALLOW))
        run(patched, prompts, negative, noise())
        found.append(store.read())
    for one, two in zip(*(maps.layers for maps in found), strict=True):
        kept = (layer.cross_attention["positive"].float() for layer in (one, two))
        assert torch.allclose(*kept, atol=2e-3)
    *_, (_, line) = report("AttentionRecorder")
    assert "Left out 1 further conditioning." in line


cuts = pytest.mark.parametrize("together", [1, 2])
ALIGNED = [
    method for method in METHODS if method.name in ("style aligned", "shift and scale, last is reference")
]


@pytest.mark.parametrize(("way", "together"), list(zip(WAYS, [1, 2, 2, 1], strict=True)), ids=str)
def test_boxes_are_not_laid_over_tiles(clip, report, way, together):
    """The picture is the tiled one, and the report says why."""
    plain = tiled(model(SHALLOW), 16, 8, 8, together)
    patched, own = way(clip, on=plain)
    negative = encoded(clip, "")
    assert torch.equal(
        run(patched, own, negative, noise(), steps=2), run(plain, own, negative, noise(), steps=2)
    )
    assert warned(report)


@cuts
def test_maps_of_tiles_are_not_kept(clip, report, together):
    """Nor told of as if the layers were at fault."""
    patched, store = call_node(AttentionRecorder, tiled(model(SHALLOW), 16, 8, 8, together))
    run(patched, encoded(clip, "a red cat"), encoded(clip, ""), noise())
    assert store.maps is None
    assert warned(report)
    assert not any("check its layers" in line for _, line in report())


@pytest.mark.parametrize("method", ALIGNED, ids=lambda method: method.name)
def test_style_is_aligned_in_each_tile(method):
    """A tile of all images is a batch like any other."""
    plain = tiled(model(SHALLOW), 6, 6, 4)
    expected = naive.replace_self_attention(plain, method.naive, blocks(model(SHALLOW)))
    prompts = conditioning(model(SHALLOW), IMAGES, seed=1), conditioning(model(SHALLOW), seed=2)
    how = {"batch": IMAGES, "height": 6, "width": 10}
    assert_same_image(
        sample(method.on(plain), *prompts, **how), sample(expected, *prompts, **how), tolerance=1e-3
    )


@pytest.mark.parametrize("method", ALIGNED, ids=lambda method: method.name)
def test_style_is_aligned_in_each_area(method):
    """Two halves that share nothing are two pictures."""
    text = conditioning(model(SHALLOW), IMAGES, seed=1)
    prompts = inside(text, LEFT) + inside(conditioning(model(SHALLOW), IMAGES, seed=3), RIGHT)
    negative, start = conditioning(model(SHALLOW), seed=2), noise(IMAGES)
    whole = run(method.on(model(SHALLOW)), prompts, negative, start, steps=2, cfg=1.0)
    alone = run(method.on(model(SHALLOW)), text, negative, start[..., LEFT], steps=2, cfg=1.0)
    assert_same_image(whole[..., LEFT], alone, tolerance=1e-3)


def test_other_pictures_are_not_followed_in_tiles(report):
    """The host cuts the passes of guests as well, of which each part would take the place of the one before:
    the picture is a plain one, and the report says so."""
    (method,) = [method for method in METHODS if method.name == "cross image"]
    prompts = conditioning(model(SHALLOW), IMAGES, seed=1), conditioning(model(SHALLOW), seed=2)
    patched = method.on(tiled(model(SHALLOW), 6, 6, 4))
    sample(patched, *prompts, batch=IMAGES, height=6, width=10)
    assert warned(report)


@every_way
def test_a_tile_that_is_the_whole_picture(clip, way):
    """Is the picture."""
    patched, own = way(clip)
    in_one, _ = way(clip, on=tiled(model(SHALLOW), *LATENT, 16))
    negative = encoded(clip, "")
    assert torch.equal(
        run(in_one, own, negative, noise(), steps=2), run(patched, own, negative, noise(), steps=2)
    )
