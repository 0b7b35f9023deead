"""What PlugAndPlay pushes away from is so large a part of the negative, whatever that is made of."""

from functools import partial

import pytest
import torch
from attention_control.attention_patches.contract.views import RegionPrompts
from attention_control.attention_patches.methods.multidiffusion.method import MultiDiffusion
from attention_control.attention_patches.methods.multidiffusion.regions import Region
from attention_control.nodes.host.run.install import install
from nodes import (
    ConditioningSetArea,
    ConditioningSetAreaStrength,
    ConditioningSetMask,
    ControlNetApply,
    ControlNetApplyAdvanced,
)
from nodes import ConditioningSetTimestepRange as Range

from .just import Just, Witness
from .plugging import empty, plugged, words
from .specimen import model
from .tiny import assert_same_image, conditioning
from .tiny.extras import tiny_controlnet
from .transfers import inverted, sampled

SHAPE = "sd15"


def given(patcher=None, **settings):
    """The node's outputs, the last two of their steps."""
    how = {"guide_prompt": empty(SHAPE), "away_from": words(SHAPE, 7), **settings}
    patched, sampler, sigmas, latent = plugged(
        SHAPE, inverted(SHAPE, 1, method="ddim"), patcher=patcher, **how
    )
    return patched, sampler, sigmas[-3:], latent


def pushed(negative, **how):
    return sampled(given(**how), words(SHAPE, 5), negative, cfg=4.0)


def own():
    return words(SHAPE, 6)


def stronger(prompt, strength):
    return ConditioningSetAreaStrength().append(prompt, strength)[0]


def half(prompt, left, strength=1.0):
    """Of the picture, by a mask."""
    mask = torch.zeros(1, 48, 80)
    mask[..., slice(0, 40) if left else slice(40, 80)] = 1.0
    return ConditioningSetMask().append(prompt, mask, "default", strength)[0]


SAME = {
    "combined with itself": lambda: own() + own(),
    "of another strength": lambda: stronger(own(), 3.0),
    "in two halves": lambda: half(own(), True, 0.3) + half(own(), False),
    "twice in one half": lambda: own() + half(own(), True),
    "in an area too": lambda: own() + ConditioningSetArea().append(own(), 80, 48, 0, 0, 2.0)[0],
    "not now": lambda: own() + Range().set_range(own(), 0.0, 0.1)[0],
}


@pytest.mark.parametrize("negative", SAME.values(), ids=SAME)
def test_a_negative_that_is_one_prompt_in_other_words(negative):
    """Is pushed as that prompt is: what it weighs does not matter, in no cell."""
    assert_same_image(pushed(negative()), pushed(own()), tolerance=1e-3)


def test_a_negative_that_holds_where_nobody_else_does():
    """Keeps its part, however many there are: another in one half of the picture, and it in the rest."""
    left, right = half(words(SHAPE, 8), True), half(own(), False)
    default = [[text, {**more, "default": True}] for text, more in own()]
    for times in (1, 2):
        assert_same_image(pushed(left + default * times), pushed(left + right), tolerance=1e-3)


def test_a_negative_that_does_not_hold_now():
    """Leaves all to the prompt: nothing else is expected."""
    (before,) = Range().set_range(own(), 0.0, 0.1)
    assert_same_image(pushed(before), pushed(own(), away_alpha=0.0))


def test_two_prompts_that_are_pushed_away():
    """Are parts one of the other, and texts of the run that all methods know."""
    witness = Witness()
    seen = install(given()[0], Just([witness]))
    outer = given(seen, away_from=words(SHAPE, 9))
    sampled(outer, words(SHAPE, 5), own(), cfg=4.0)
    told = {(text and (text.role, text.entry)) for site, *_ in witness.seen for text in site.rows.texts}
    assert told >= {("positive", 0), ("negative", 0), ("negative", 1), ("negative", 2)} and None not in told


UNSEEN = {"feature_until": 0.0, "attention_until": 0.0}  # a guide that is not seen


def controlnet(seed):
    """A ControlNet and its hint."""
    hint = torch.rand(1, 48, 80, 3, generator=torch.Generator().manual_seed(seed))
    return tiny_controlnet(model(SHAPE), seed), hint, 0.5


def hinted(positive, negative, seed=1):
    """By the node for both prompts."""
    return ControlNetApplyAdvanced().apply_controlnet(positive, negative, *controlnet(seed), 0.0, 1.0)


def hinted_alone(positive):
    """By the node for one prompt, from which the host gives the ControlNet to the negative."""
    return ControlNetApply().apply_controlnet(positive, *controlnet(1))[0]


@pytest.mark.parametrize("node", ["for both", "for one"])
def test_what_is_pushed_away_has_the_negatives_controlnet(node):
    """In place of it, and as a part of it, it does what a negative of these words does."""
    away = words(SHAPE, 7)

    def controlled(negative):
        both = node == "for both"
        return hinted(words(SHAPE, 5), negative) if both else (hinted_alone(words(SHAPE, 5)), negative)

    plain = sampled(given(away_from=None, **UNSEEN), *controlled(away), cfg=4.0)
    for negative, alpha in ((own(), 0.0), (away, 0.5)):
        pushing = given(away_from=away, away_alpha=alpha, **UNSEEN)
        assert_same_image(sampled(pushing, *controlled(negative), cfg=4.0), plain, tolerance=1e-3)


def in_a_region(positive, negative, *others):
    """A run with a region that is the whole picture, pushed away; `others` are the sampler's prompts."""
    region = Region(RegionPrompts(positive=positive, negative=negative), torch.ones(6, 10))
    windows = MultiDiffusion(window=(6, 10), stride=1, regions=(region,), bootstrap=0.0)
    return sampled(given(install(model(SHAPE), windows), **UNSEEN), *others, cfg=4.0)


def test_a_region_is_pushed_away_too():
    """As a run of its prompts is, with a guide that is not seen."""
    found = in_a_region(words(SHAPE, 5), own(), words(SHAPE, 8), words(SHAPE, 9))
    assert_same_image(found, pushed(own(), **UNSEEN), tolerance=1e-3)


def test_what_is_pushed_away_in_a_region_has_the_regions_controlnet():
    """Whose negative it is a part of, also where that is the sampler's; and none if the region has none."""
    others = hinted(words(SHAPE, 8), words(SHAPE, 9), seed=2)
    both = hinted(words(SHAPE, 5), own())
    expected = sampled(given(**UNSEEN), *both, cfg=4.0)
    assert_same_image(in_a_region(*both, *others), expected, tolerance=1e-3)
    found = in_a_region(hinted_alone(words(SHAPE, 5)), None, words(SHAPE, 8), own())
    assert_same_image(found, expected, tolerance=1e-3)
    found = in_a_region(words(SHAPE, 5), own(), *others)
    assert_same_image(found, pushed(own(), **UNSEEN), tolerance=1e-3)


def test_what_is_pushed_away_is_encoded_as_a_negative(monkeypatch):
    """SDXL's refiner is told another aesthetic score of it."""
    told, base = [], model(SHAPE).model
    own, own_words = base.extra_conds, partial(conditioning, model(SHAPE), 1)

    def listening(**given):
        told.append((given["prompt_type"], given["cross_attn"].shape[1]))
        return own(**given)

    monkeypatch.setattr(base, "extra_conds", listening)
    pushed(own_words(154), away_from=own_words(231))
    assert {role for role, tokens in told if tokens == 231} == {"negative"}
