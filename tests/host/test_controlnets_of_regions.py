"""ControlNets applied to a positive prompt alone, which the host gives to negatives: in regions too."""

import pytest
import torch
from attention_control.nodes.host.views.region_controls import with_own_controls
from nodes import ControlNetApply, ControlNetApplyAdvanced

from .regions import WIDE, everywhere, run, text
from .specimen import SHALLOW, model
from .tiny import assert_same_image, sample
from .tiny.extras import tiny_controlnet


def hint(seed=1):
    return torch.rand(1, 48, 112, 3, generator=torch.Generator().manual_seed(seed))


def older(prompt, seed=1):
    """By the node that takes one prompt."""
    control = tiny_controlnet(model(SHALLOW), seed)
    return ControlNetApply().apply_controlnet(prompt, control, hint(seed), 0.5)[0]


def newer(positive, negative, seed=1):
    control = tiny_controlnet(model(SHALLOW), seed)
    return ControlNetApplyAdvanced().apply_controlnet(positive, negative, control, hint(seed), 0.5, 0.0, 1.0)


def plain(positive, negative):
    return sample(model(SHALLOW), positive, negative, **WIDE)


@pytest.mark.parametrize("negative", [None, 4])
def test_that_of_the_sampler_stays_out_of_regions(negative):
    """A region's prompts have none: its picture is that of its prompts."""
    patched = everywhere(text(3), None if negative is None else text(negative))
    assert_same_image(sample(patched, older(text(1)), text(2), **WIDE), plain(text(3), text(negative or 2)))


@pytest.mark.parametrize("negative", [4, None, "two"])
def test_that_of_a_region_is_its_negatives_too(negative):
    """Whether this is of the region or the sampler's: the host gives it that one."""
    own = {4: text(4), None: None, "two": text(4) + text(6)}[negative]
    assert_same_image(run(everywhere(older(text(3)), own)), plain(older(text(3)), own or text(2)))


def test_each_has_its_own():
    """One on the sampler's prompts, and another on the region's, of either node."""
    expected = plain(older(text(3), 2), text(2))
    for others in ((older(text(1)), text(2)), newer(text(1), text(2))):
        assert_same_image(sample(everywhere(older(text(3), 2)), *others, **WIDE), expected)
    both = newer(text(3), text(4), 2)
    found = sample(everywhere(*both), older(text(1)), text(2), **WIDE)
    assert_same_image(found, plain(*both))


def test_without_regions_nothing_is_another():
    """The guider's conditionings are what they were, entry by entry."""
    conds = {"positive": [{"control": 1, "control_apply_to_uncond": True}], "negative": [{}]}
    assert with_own_controls(conds) == conds
