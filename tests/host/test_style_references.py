"""Styles of pictures beside the batch: the same as in it, several at once, in windows and in regions."""

import comfy.sample
import comfy.samplers
import pytest
import torch
from attention_control.attention_patches.methods.multidiffusion.method import MultiDiffusion
from attention_control.attention_patches.methods.multidiffusion.regions import Region, RegionPrompts
from attention_control.attention_patches.methods.style_aligned.mixture import StyleMixture
from attention_control.attention_patches.methods.style_aligned.style_reference import StyleReference
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from nodes import ConditioningSetArea

from ..naive_styles import with_references
from . import test_style_of_a_picture as in_batch
from .inversions import tiny_inversion
from .naive import replace_self_attention
from .specimen import SHALLOW, blocks, model
from .tiles import tiled
from .tiny import assert_same_image, conditioning

SIZE = in_batch.SIZE
PICTURE, OTHER = in_batch.PICTURE, tiny_inversion(**SIZE, seed=1)
SMALL = tiny_inversion(5, 7, seed=2)
WIDE = {"height": 6, "width": 16}
LEFT, RIGHT = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
SIDES = (StyleReference(PICTURE, mask=LEFT), StyleReference(SMALL, mask=RIGHT))
EULER = comfy.samplers.sampler_object("euler")
TWO_WINDOWS = {"window": (6, 8), "stride": 8}


def mixed(patcher, *references, **settings):
    """The model with the styles of references, which are inversions or more."""
    given = tuple(r if isinstance(r, StyleReference) else StyleReference(r) for r in references)
    layers = family_of(patcher).layer_map().parse("all")
    return install(patcher, StyleMixture(layers=layers, references=given, **settings))


def prompts(rows=1):
    return conditioning(model(SHALLOW), rows, seed=1), conditioning(model(SHALLOW), seed=2)


def noise(columns=slice(None)):
    return torch.randn(1, 4, 6, 16, generator=torch.Generator().manual_seed(4))[..., columns]


def run(patcher, start, own=None, sampler=EULER, cfg=4.0):
    """Latents of one run of two steps from this noise."""
    positive, negative = own or prompts()
    with torch.inference_mode():
        return comfy.sample.sample_custom(
            patcher,
            start,
            cfg,
            sampler,
            torch.tensor([9.0, 2.0, 0.0]),
            positive,
            negative,
            torch.zeros_like(start),
            disable_pbar=True,
        )


@pytest.mark.parametrize(
    ("shape", "settings"),
    [("sd2", {}), ("sdxl", {"score_shift": 0.7, "score_scale": 0.5, "adain": "keys"})],
    ids=str,
)
def test_one_reference_is_the_picture_in_the_batch(shape, settings):
    """Alone, or with another of weight 0: the images that follow a row which is that picture."""
    own = conditioning(model(shape), seed=1), conditioning(model(shape), seed=2)
    start = torch.randn(3, 4, *SIZE.values(), generator=torch.Generator().manual_seed(1))
    expected = run(in_batch.follow(model(shape), **settings), start, own)[1:]
    references = (PICTURE, StyleReference(OTHER, weight=0.0))
    assert_same_image(run(mixed(model(shape), *references, **settings), start[1:], own), expected, 1e-4)


def test_the_same_picture_twice_is_the_picture():
    """Whatever the weights; one image is enough."""
    once = run(mixed(model(SHALLOW), PICTURE), noise())
    twice = run(mixed(model(SHALLOW), PICTURE, StyleReference(PICTURE, weight=3.0)), noise())
    assert_same_image(twice, once, 1e-4)


@pytest.mark.parametrize("shape", ["sd15", "sdxl"])
def test_two_styles_equal_the_naive_version(shape):
    """Both pictures in the batch, another sampler, the host's slots for attention, float64."""
    weights, patcher = (0.75, 0.25), model(shape)
    naive = replace_self_attention(
        patcher,
        lambda q, k, v: with_references(q, k, v, weights, shift=0.3, scale=0.8),
        blocks(patcher),
    )
    references = [StyleReference(one, weight=w) for one, w in zip((PICTURE, OTHER), weights, strict=True)]
    own = conditioning(patcher, seed=1), conditioning(patcher, seed=2)
    start = torch.randn(3, 4, *SIZE.values(), generator=torch.Generator().manual_seed(1))
    ours = run(mixed(patcher, *references, score_shift=0.3, score_scale=0.8), start[2:], own)
    expected = run(naive, start, own, in_batch.NaiveEuler(PICTURE, OTHER))
    assert_same_image(ours, expected[2:], tolerance=1e-3)


def test_references_are_seen_under_the_first_prompt():
    """Of a batch of prompts: image 0 is what it is alone, whichever prompts follow it."""
    own = prompts(2)
    start = torch.cat([noise(slice(0, 8)), noise(slice(8, 16))])
    both = run(mixed(model(SHALLOW), PICTURE, OTHER), start, own)
    first = [[own[0][0][0][:1], {"pooled_output": own[0][0][1]["pooled_output"][:1]}]]
    assert_same_image(both[:1], run(mixed(model(SHALLOW), PICTURE, OTHER), start[:1], (first, own[1])), 1e-4)


@pytest.mark.parametrize("how", [{"weight": 0.0}, {"mask": 0 * LEFT}], ids=["weight", "mask"])
def test_no_weights_are_the_plain_run(how, report):
    """To the bit, and it is said."""
    nothing = mixed(model(SHALLOW), StyleReference(PICTURE, **how))
    assert torch.equal(run(nothing, noise()), run(model(SHALLOW), noise()))
    assert any("all weights of its references are 0" in line for _, line in report())


@pytest.mark.parametrize("by_place", [False, True])
def test_each_window_follows_what_covers_it(by_place, report):
    """Two windows that share nothing are two pictures, each with its own reference, seen whole."""
    windows = install(model(SHALLOW), MultiDiffusion(**TWO_WINDOWS))
    whole = run(mixed(windows, *SIDES, by_place=by_place), noise())
    assert any("2 reference" in line for _, line in report())
    for columns, reference in ((slice(0, 8), PICTURE), (slice(8, 16), SMALL)):
        alone = run(mixed(model(SHALLOW), reference), noise(columns))
        assert_same_image(whole[..., columns], alone, 1e-4)


@pytest.mark.parametrize("by_place", [False, True])
def test_a_mask_for_each_image(by_place, report):
    """Each image is what it is alone with its own masks; the other reference has one for all."""
    start = torch.cat([noise(slice(0, 8)), noise(slice(8, 16))])
    masks = torch.stack([LEFT, 0.3 * RIGHT])
    other = StyleReference(SMALL, mask=torch.tensor([[0.2, 0.7]]))
    both = run(mixed(model(SHALLOW), StyleReference(PICTURE, mask=masks), other, by_place=by_place), start)
    assert any("of the pictures, each image by its own masks" in line for _, line in report())
    for image, mask in enumerate(masks):
        references = StyleReference(PICTURE, mask=mask), other
        alone = run(mixed(model(SHALLOW), *references, by_place=by_place), start[image : image + 1])
        assert_same_image(both[image : image + 1], alone, 1e-4)


def test_masks_that_are_neither_one_nor_one_for_each_image():
    """Are an error that says how many there are of each."""
    with pytest.raises(ValueError, match="there are 2 masks, and the latent batch to sample has 1 image"):
        run(mixed(model(SHALLOW), StyleReference(PICTURE, mask=torch.stack([LEFT, RIGHT]))), noise())


def test_a_window_that_no_reference_reaches_is_plain(report):
    """And the report says so."""
    windows = install(model(SHALLOW), MultiDiffusion(**TWO_WINDOWS))
    found = run(mixed(windows, SIDES[0]), noise())
    assert_same_image(found[..., 8:], run(model(SHALLOW), noise(slice(8, 16))), 1e-4)
    assert any("No reference reaches 1 of 2 parts" in line for _, line in report())


def test_references_are_seen_under_the_prompts_of_regions():
    """A region of the whole picture: as under its prompts as the sampler's own."""
    other = conditioning(model(SHALLOW), seed=3), conditioning(model(SHALLOW), seed=4)
    region = Region(RegionPrompts(positive=other[0], negative=other[1]), torch.ones(1, 1))
    windows = install(
        model(SHALLOW), MultiDiffusion(window=(6, 16), stride=6, regions=(region,), bootstrap=0.0)
    )
    ours = run(mixed(windows, SMALL), noise())
    assert_same_image(ours, run(mixed(model(SHALLOW), SMALL), noise(), other), 1e-4)


def test_areas_follow_what_covers_them():
    """Two halves that share nothing are two pictures, each with the reference of its side."""
    one = prompts()[0]
    left, right = (ConditioningSetArea().append(one, 64, 48, x, 0, 1.0)[0] for x in (0, 64))
    whole = run(mixed(model(SHALLOW), *SIDES), noise(), (left + right, prompts()[1]), cfg=1.0)
    for columns, reference in ((slice(0, 8), PICTURE), (slice(8, 16), SMALL)):
        alone = run(mixed(model(SHALLOW), reference), noise(columns), cfg=1.0)
        assert_same_image(whole[..., columns], alone, 1e-4)


def test_references_with_places_in_tiles(report):
    """Of which nobody knows the place: they are left out, and the report says so."""
    tiles = tiled(model(SHALLOW), 6, 6, 4)
    plain = run(tiles, noise())
    assert not torch.allclose(run(mixed(tiles, PICTURE), noise()), plain, rtol=0.01)
    assert_same_image(run(mixed(tiles, *SIDES), noise()), plain)
    assert any("whose place is not known" in line for _, line in report())
