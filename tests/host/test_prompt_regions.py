"""Regions with prompts of their own: against a naive loop over windows and prompts, and by what must hold."""

import comfy.sample
import pytest
import torch
from attention_control.attention_patches.contract.views import RegionPrompts
from attention_control.attention_patches.methods.multidiffusion.method import MultiDiffusion
from attention_control.attention_patches.methods.multidiffusion.regions import Backgrounds, Region
from nodes import ConditioningSetArea, ControlNetApplyAdvanced

from . import laws
from .naive_windows import regional
from .regions import WIDE, WINDOWS, box, run, text, with_regions
from .settings_of_methods import EACH_ALONE
from .specimen import SHALLOW, Specimen, model
from .tiny import assert_same_image, sample
from .tiny.extras import tiny_controlnet

COLOUR = torch.tensor([0.5, -1.0, 2.0, 0.3])[:, None, None]


REGIONS = [(3, 4, box(0, 5, 0, 6)), (5, None, box(2, 6, 4, 11))]  # seeds of texts; they overlap


def given(regions):
    """(positive, negative or None, mask)."""
    return [(text(p), None if n is None else text(n), mask) for p, n, mask in regions]


@pytest.mark.parametrize(
    ("bootstrap", "weighting", "sampler"), [(0.6, "uniform", "euler"), (0.0, "gaussian", "dpmpp_2m")]
)
def test_regions_as_in_the_paper(bootstrap, weighting, sampler):
    """Masks weigh what each prompt says, the background has what is left, and early on a region sees one
    colour outside its mask, with the noise that the run began with."""
    noise = comfy.sample.prepare_noise(torch.zeros(2, 4, 6, 14), 0, [0, 1])
    until = model(SHALLOW).get_model_object("model_sampling").percent_to_sigma(bootstrap)
    own = given(REGIONS)
    expected = regional(
        model(SHALLOW), own, lambda sigma: sigma > until, COLOUR, noise, weighting=weighting, **WINDOWS
    )
    ours = with_regions(own, bootstrap=bootstrap, weighting=weighting, backgrounds=COLOUR[None])
    how = {"sampler": sampler, "steps": 3}
    assert_same_image(run(ours, **how), run(expected, **how))


def test_a_mask_for_each_image():
    """Each image is that of its own masks in the naive loop; image 0 does without the second region."""
    noise = comfy.sample.prepare_noise(torch.zeros(2, 4, 6, 14), 0, [0, 1])
    until = model(SHALLOW).get_model_object("model_sampling").percent_to_sigma(0.6)
    masks = [(box(0, 5, 0, 6), box(1, 6, 8, 14)), (torch.zeros(6, 14), box(2, 6, 4, 11))]
    own = [(p, n, torch.stack(mask)) for (p, n, _), mask in zip(given(REGIONS), masks, strict=True)]
    found = run(with_regions(own, bootstrap=0.6, backgrounds=COLOUR[None]), steps=2)
    for image in (0, 1):
        alone = [(p, n, mask[image]) for p, n, mask in own]
        naive = regional(model(SHALLOW), alone, lambda sigma: sigma > until, COLOUR, noise, **WINDOWS)
        assert_same_image(found[image : image + 1], run(naive, steps=2)[image : image + 1])


def test_masks_that_are_neither_one_nor_one_for_each_image():
    """Are an error that says how many there are of each."""
    three = [(3, None, box(0, 5, 0, 6).expand(3, -1, -1))]
    with pytest.raises(ValueError, match="region 1 has 3 masks, and the latent batch to sample has 2 images"):
        run(with_regions(given(three)))


def test_a_region_of_the_whole_picture():
    """Is the picture of its prompts; those of the sampler have no cell."""
    whole = given([(3, 4, torch.ones(1, 1))])
    ours = with_regions(whole, window=(6, 14), stride=1, bootstrap=0.0)
    assert_same_image(run(ours), sample(model(SHALLOW), text(3), text(4), **WIDE))
    bootstrapped = with_regions(whole, window=(6, 14), stride=1, bootstrap=1.0)
    assert_same_image(run(bootstrapped), run(ours))


def test_regions_of_the_samplers_own_prompts():
    """Change nothing."""
    same = with_regions(given([(1, 2, box(0, 6, 0, 7)), (1, None, box(1, 4, 5, 14))]), bootstrap=0.0)
    assert_same_image(run(same), run(with_regions([])))


def test_colours_are_fresh_in_each_step():
    """Drawn by the seed alone: for any window and region another one, at each level of noise."""
    drawn = Backgrounds(torch.zeros(20, 4, 1, 1), seed=3)
    assert drawn.drawn(5.0, 50) == drawn.drawn(5.0, 50)
    assert drawn.drawn(5.0, 50) != drawn.drawn(4.0, 50)
    assert drawn.drawn(5.0, 50) != Backgrounds(drawn.pictures, seed=4).drawn(5.0, 50)
    assert len(set(drawn.drawn(5.0, 200))) == 20
    seeds = [run(with_regions(given(REGIONS), seed=seed)) for seed in (0, 0, 1)]
    assert torch.equal(seeds[0], seeds[1]) and not torch.equal(seeds[0], seeds[2])


def test_a_run_that_goes_on_with_the_latents_of_another():
    """Adds no noise, so the backgrounds have noise of their own."""
    patched = with_regions(given(REGIONS), bootstrap=0.9, backgrounds=COLOUR[None])
    begun = run(patched, steps=4, between=(0, 1))
    rest = {"steps": 4, "between": (1, 4), "latent": begun}
    until = model(SHALLOW).get_model_object("model_sampling").percent_to_sigma(0.9)
    bare = regional(
        model(SHALLOW),
        given(REGIONS),
        lambda sigma: sigma > until,
        COLOUR,
        torch.zeros_like(begun),
        **WINDOWS,
    )
    found = run(patched, **rest)
    assert found.isfinite().all() and not torch.allclose(found, run(bare, **rest), rtol=0.05)


@pytest.mark.parametrize("per_call", [1, 99])
def test_windows_of_a_call(per_call):
    """Never change the picture: the colour of a window is its own, whichever call it is in."""
    expected = run(with_regions(given(REGIONS), bootstrap=0.9))
    assert_same_image(run(with_regions(given(REGIONS), bootstrap=0.9, per_call=per_call)), expected)


def test_a_controlnet_of_a_region():
    """Is the host's, as on any prompt: alone in the picture it does what it does there."""
    hint = torch.rand(1, 48, 112, 3, generator=torch.Generator().manual_seed(1))
    control = tiny_controlnet(model(SHALLOW))
    prompts = ControlNetApplyAdvanced().apply_controlnet(text(3), text(4), control, hint, 0.3, 0.0, 1.0)
    ours = with_regions([(*prompts, torch.ones(6, 14))], window=(6, 14), stride=1, bootstrap=0.0)
    assert_same_image(run(ours), sample(model(SHALLOW), *prompts, **WIDE))


LAWS = [
    laws.off_is_off,
    laws.calls_do_not_matter,
    laws.rows_do_not_leak,
    laws.nothing_is_left,
    laws.patches_compose,
    laws.same_seed_same_image,
    laws.halves_equal_one,
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law_with_regions(law):
    """What holds for windows holds with prompts of regions in them, while subjects are led into masks too."""
    regions = [Region(RegionPrompts(positive=p, negative=n), mask) for p, n, mask in given(REGIONS)]
    settings = {"window": (6, 6), "stride": 4, "per_call": 6, "regions": tuple(regions), "bootstrap": 0.3}
    law(Specimen("multidiffusion with regions", MultiDiffusion, settings, EACH_ALONE), SHALLOW)


def test_a_mask_that_covers_no_cell():
    """Is an error that says which."""
    thin = torch.zeros(600, 1400)
    thin[3, 3] = 1.0
    with pytest.raises(ValueError, match=r"mask of region 2 covers no cell of the picture \(6 x 14"):
        run(with_regions(given([REGIONS[0], (5, None, thin)])))


def test_areas_in_regions_are_refused():
    """A region has a mask."""
    (inside,) = ConditioningSetArea().append(text(3), 64, 48, 0, 0, 1.0)
    with pytest.raises(ValueError, match="the positive of region 1 has an area"):
        run(with_regions([(inside, None, REGIONS[0][2])]))


def test_areas_of_the_samplers_prompts_beside_regions():
    """Stay in their place: the host gives each prompt an area where another has one."""
    (inside,) = ConditioningSetArea().append(text(1), 112, 48, 0, 0, 1.0)
    own = given(REGIONS)
    ours = sample(with_regions(own, bootstrap=0.0), inside, text(2), **WIDE)
    assert_same_image(ours, run(with_regions(own, bootstrap=0.0)))
