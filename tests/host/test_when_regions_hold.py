"""Prompts of regions that hold for a part of the schedule, and what places in them are refused."""

import pytest
import torch
from nodes import ConditioningSetAreaStrength, ConditioningSetMask, ConditioningSetTimestepRange
from nodes import ControlNetApplyAdvanced as ControlNet

from .regions import WIDE, box, everywhere, run, text, with_regions
from .specimen import SHALLOW, model
from .tiny import assert_same_image, sample
from .tiny.extras import tiny_controlnet

STEPS = {"steps": 4}
HALF = 2  # of these steps lie before the middle of the schedule
PLACE = box(0, 6, 7, 14)


def early(prompt):
    return ConditioningSetTimestepRange().set_range(prompt, 0.0, 0.5)[0]


def controlled(positive, negative):
    hint = torch.rand(1, 48, 112, 3, generator=torch.Generator().manual_seed(1))
    control = tiny_controlnet(model(SHALLOW))
    return ControlNet().apply_controlnet(positive, negative, control, hint, 0.3, 0.0, 1.0)[:2]


def after(first, second, prompts):
    """A run of the first MODEL, and from the middle of the schedule on of the second."""
    begun = sample(first, *prompts, **WIDE, **STEPS, between=(0, HALF))
    return sample(second, *prompts, **WIDE, **STEPS, between=(HALF, 4), latent=begun)


@pytest.mark.parametrize("control", ["plain", "controlled"])
@pytest.mark.parametrize("negative", [None, 4])
def test_a_region_for_a_part_of_the_schedule(negative, control):
    """Is the sampler's from then on, the negative as well: nothing was expected there."""
    own = text(1), text(2)
    prompts = controlled(*own) if control == "controlled" else own
    against = None if negative is None else text(negative)
    ours = with_regions([(early(text(3)), against, PLACE)], bootstrap=0.0)
    always = with_regions([(text(3), against, PLACE)], bootstrap=0.0)
    found = sample(ours, *prompts, **WIDE, **STEPS)
    assert_same_image(found, after(always, with_regions([]), prompts))
    assert not torch.allclose(found, sample(always, *prompts, **WIDE, **STEPS), rtol=0.05)


def test_a_region_from_a_part_of_the_schedule_on():
    """Sees no background of one colour before it: until then it is a place like any other."""
    (late,) = ConditioningSetTimestepRange().set_range(text(3), 0.5, 1.0)
    ours = with_regions([(late, None, PLACE)], bootstrap=1.0)
    begun = (run(patched, **STEPS, between=(0, HALF)) for patched in (ours, with_regions([])))
    assert_same_image(*begun)


def test_a_negative_of_a_region_for_a_part_of_the_schedule():
    """Is the sampler's from then on, while the positive stays."""
    ours = with_regions([(text(3), early(text(4)), PLACE)], bootstrap=0.0)
    first, second = (with_regions([(text(3), n, PLACE)], bootstrap=0.0) for n in (text(4), None))
    assert_same_image(run(ours, **STEPS), after(first, second, (text(1), text(2))))


def test_a_region_of_several_prompts_one_of_which_holds():
    """Is of this one, as the host has it."""
    both = early(text(3)) + text(5)
    assert_same_image(
        run(everywhere(both, text(4)), **STEPS), sample(model(SHALLOW), both, text(4), **WIDE, **STEPS)
    )


def test_a_prompt_of_a_region_that_weighs_nothing():
    """Is none."""
    (nothing,) = ConditioningSetAreaStrength().append(text(3), 0.0)
    assert_same_image(run(everywhere(nothing, text(4))), run(everywhere(text(1), text(2))))


@pytest.mark.parametrize("bounds", ["default", "mask bounds"])
def test_a_mask_on_the_prompt_of_a_region(bounds):
    """Is refused: where it is 0 in the region, nothing was expected."""
    (masked,) = ConditioningSetMask().append(text(3), torch.ones(1, 6, 14).tril(3), bounds, 1.0)
    with pytest.raises(ValueError, match="the positive of region 1 has a mask of its own"):
        run(everywhere(masked))
