"""Plug-and-Play in the host: against the authors' way, its identities, what it leaves alone."""

from dataclasses import replace
from functools import cache

import comfy.samplers
import pytest
import torch
from attention_control.attention_patches.methods.plug_and_play.guided import Guided

from .plugging import authors_way, empty, plugged, words
from .specimen import SHALLOW, model
from .tiny import assert_same_image, only_image, split_calls, spy_calls
from .transfers import SIZE, inverted, prompt, sampled

# eight steps at 0.12, 0.25, 0.37, ... 1 of the schedule: features in five of them, queries and keys in three
OURS = {"feature_until": 0.7, "attention_until": 0.45}
THEIRS = {"features": 5, "attention": 3}


def guide(shape, seed=1, **how):
    return inverted(shape, seed, **{"method": "ddim", **how})


def output(shape, picture, positive=None, cfg=4.0, rows=1, sampler=None, **settings):
    """Latents of one run, under the guide's own prompt if none is given in `settings`."""
    given = plugged(shape, picture, rows=rows, **{"guide_prompt": empty(shape), **settings})
    if sampler is not None:
        given = (given[0], comfy.samplers.sampler_object(sampler), *given[2:])
    return sampled(given, positive or words(shape, 5), words(shape, 6), cfg=cfg)


@cache
def usual():
    """The output of the default settings, sampled once."""
    return output(SHALLOW, guide(SHALLOW))


@cache
def theirs(shape, under=(3,)):
    return authors_way(shape, guide(shape), under=under, **THEIRS)


def equals_the_authors_way(shape):
    assert_same_image(output(shape, guide(shape), **OURS), theirs(shape), tolerance=2e-3)


@cache
def under_the_runs_prompts():
    """The output where the guide has no prompt of its own."""
    return output(SHALLOW, guide(SHALLOW), guide_prompt=None, **OURS)


@pytest.mark.parametrize("shape", ["sd15", "sdxl"])
def test_it_equals_the_authors_way(shape):
    """The guide's row under an empty prompt beside the others', explicit maps in float64, features put in
    place by hooks on the convolutions: the same latents as ours from one row and guests."""
    equals_the_authors_way(shape)


def test_in_other_steps_the_guide_is_seen_at_their_noise():
    """Twice as many steps as the inversion has: at each the guide is the state between its own, put there by
    hand for the authors' way."""
    own = guide(SHALLOW)
    levels = own.sigmas[:-1]
    finer = torch.cat(
        [torch.stack([levels, (levels * own.sigmas[1:]).sqrt()], 1).flatten()[:-1], levels.new_zeros(1)]
    )
    between = replace(own, sigmas=finer, states=torch.stack([own.at(float(level)) for level in finer]))
    reached = {
        name: int(
            (finer > float(model(SHALLOW).get_model_object("model_sampling").percent_to_sigma(until))).sum()
        )
        for name, until in (("features", OURS["feature_until"]), ("attention", OURS["attention_until"]))
    }
    given = plugged(SHALLOW, own, guide_prompt=empty(SHALLOW), **OURS)
    euler = comfy.samplers.sampler_object("euler")  # a step of DDIM; the walk back is for the inversion's own
    ours = sampled((given[0], euler, finer, given[3]), words(SHALLOW, 5), words(SHALLOW, 6), cfg=4.0)
    assert reached["attention"] > THEIRS["attention"] and len(finer) == 2 * len(levels)
    assert_same_image(ours, authors_way(SHALLOW, between, **reached), tolerance=2e-3)
    with pytest.raises(AssertionError, match="differs by"):
        assert_same_image(ours, usual(), tolerance=2e-2)


def test_without_a_prompt_of_its_own_each_row_has_its_own():
    """The authors' first code: the guide under the negative for the negative, under the positive for it."""
    assert_same_image(under_the_runs_prompts(), theirs(SHALLOW, (6, 5)), tolerance=2e-3)
    with pytest.raises(AssertionError, match="differs by"):
        assert_same_image(under_the_runs_prompts(), theirs(SHALLOW), tolerance=2e-2)


@pytest.mark.parametrize(("shape", "alpha"), [("sdxl", 1.0), (SHALLOW, 0.75)])
def test_the_guides_own_words_are_pushed_away(shape, alpha):
    """More and more in place of the negative, with one prompt of the guide's and with two."""
    away = {"away_from": words(shape, 7), "away_alpha": alpha, **OURS}
    expected = authors_way(shape, guide(shape), **THEIRS, away=alpha)
    assert_same_image(output(shape, guide(shape), **away), expected, tolerance=2e-3)
    with pytest.raises(AssertionError, match="differs by"):
        assert_same_image(theirs(shape), expected, tolerance=2e-2)


def test_what_is_pushed_away_has_rows_of_its_own_guide():
    """Without a prompt of the guide's own it is seen under these words as well, and nothing is left alone;
    split into calls it is the same."""
    how = {"away_from": words(SHALLOW, 7), "guide_prompt": None, **OURS}
    together = output(SHALLOW, guide(SHALLOW), **how)
    with split_calls(model(SHALLOW), rows=1):
        assert_same_image(output(SHALLOW, guide(SHALLOW), **how), together, tolerance=5e-4)
    assert not torch.allclose(together, under_the_runs_prompts(), rtol=0.05)


def test_pushing_away_the_negative_itself_changes_nothing():
    """But for rounding."""
    how = {"away_from": words(SHALLOW, 6), **OURS}
    assert_same_image(output(SHALLOW, guide(SHALLOW), **how), output(SHALLOW, guide(SHALLOW), **OURS), 1e-3)


def test_without_a_negative_nothing_is_pushed_away(report):
    """And the report says so."""
    given = plugged(SHALLOW, guide(SHALLOW), away_from=words(SHALLOW, 7), guide_prompt=empty(SHALLOW))
    bare = plugged(SHALLOW, guide(SHALLOW), guide_prompt=empty(SHALLOW))
    assert torch.equal(sampled(given, words(SHALLOW, 5)), sampled(bare, words(SHALLOW, 5)))
    assert "Nothing was pushed away" in report("PlugAndPlay")[0][1]


def _values_as_well(self, site, qkv, attend, right=Guided.__call__):
    if self.kept.gathers:
        self.kept.keep(("values", site.layer.ordinal), site.rows, qkv.v)
        return right(self, site, qkv, attend)
    (values,) = self.kept.give(("values", site.layer.ordinal), site.rows, qkv.v.device)
    return right(self, site, replace(qkv, v=values), attend)


def _only_the_first_chunk(self, site, h, right=Guided.residual):
    out = right(self, site, h)
    return out if self.kept.gathers else torch.cat([out[:1], h[1:]])


BROKEN = {
    "values as well": ("__call__", _values_as_well),
    "one chunk only": ("residual", _only_the_first_chunk),
    "no features": ("residual", lambda self, site, h: h),
    "no attention": ("__call__", lambda self, site, qkv, attend: attend(qkv)),
    "features as long as attention": (
        "_wanted",
        lambda self, model, right=Guided._wanted: (
            right(self, model) if model.within(self.attention_during) else frozenset()
        ),
    ),
    "features half": (
        "residual",
        lambda self, site, h, right=Guided.residual: (h + right(self, site, h)) / 2,
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_the_comparison_bites(fault, monkeypatch):
    """Each of these mistakes shows."""
    monkeypatch.setattr(Guided, *BROKEN[fault])
    with pytest.raises(AssertionError, match="differs by"):
        equals_the_authors_way(SHALLOW)


@pytest.mark.parametrize("shape", ["sd2"])
def test_under_the_words_of_the_inversion_it_is_the_picture(shape):
    """To the end, at CFG 1, along an exact inversion: all that is taken is what the run has itself."""
    picture = inverted(shape, 1)
    given = plugged(shape, picture, feature_until=1.0, attention_until=1.0)
    expected = model(shape).get_model_object("latent_format").process_out(picture.picture)
    assert_same_image(sampled(given, prompt(shape)), expected, tolerance=2e-3)


def test_taking_nothing_is_the_plain_run():
    """To the bit."""
    nothing = {"feature_until": 0.0, "attention_until": 0.0}
    given = plugged(SHALLOW, guide(SHALLOW), **nothing)
    bare = (model(SHALLOW), *given[1:])
    positive, negative = words(SHALLOW, 5), words(SHALLOW, 6)
    assert torch.equal(
        sampled(given, positive, negative, cfg=4.0), sampled(bare, positive, negative, cfg=4.0)
    )


@pytest.mark.parametrize("own", [True, False])
def test_several_prompts_for_one_guide(own):
    """The second row is what it is alone, with and without a prompt of the guide's own."""
    prompts = words(SHALLOW, 5, rows=2)
    settings = {} if own else {"guide_prompt": None}
    two = output(SHALLOW, guide(SHALLOW), prompts, rows=2, **settings)
    alone = output(SHALLOW, guide(SHALLOW), only_image(prompts, 1), **settings)
    assert_same_image(two[1:], alone, tolerance=2e-3)
    assert not torch.allclose(two[0], two[1], rtol=0.05)


def test_two_guides_do_not_leak_into_each_other():
    """A row of two is what it is alone."""
    two = output(SHALLOW, guide(SHALLOW, images=2))
    assert_same_image(two[:1], usual(), tolerance=2e-3)
    assert not torch.allclose(two[0], two[1], rtol=0.05)


def test_one_call_or_two_in_any_order_the_same_picture():
    """With a prompt of the guide's own: batched, split, and with two texts of one role."""
    picture, positive = guide(SHALLOW), words(SHALLOW, 5)
    together = usual()
    with split_calls(model(SHALLOW), rows=1):
        assert_same_image(output(SHALLOW, picture), together, tolerance=5e-4)
    assert_same_image(output(SHALLOW, picture, positive + positive), together, tolerance=5e-4)


@pytest.mark.parametrize("sampler", ["euler", "heun", "dpmpp_2m_sde"])
def test_any_sampler_may_walk(sampler):
    """Euler walks as DDIM does; others call between the steps, or remember and draw noise."""
    walked = output(SHALLOW, guide(SHALLOW), sampler=sampler)
    if sampler == "euler":
        assert_same_image(walked, usual(), tolerance=1e-3)
    assert walked.isfinite().all()
    nothing = {"feature_until": 0.0, "attention_until": 0.0}
    plain = output(SHALLOW, guide(SHALLOW), sampler=sampler, **nothing)
    assert not torch.allclose(walked, plain, rtol=0.05)


@pytest.mark.parametrize("places", [("output 2, output 0", "output 1"), ("middle", "input 1, output 3")])
def test_places_are_named_as_everywhere(places):
    """What is asked for is taken, wherever it is."""
    features, attention = places
    named = output(SHALLOW, guide(SHALLOW), feature_layers=features, attention_layers=attention)
    assert named.isfinite().all()
    assert not torch.allclose(named, usual(), rtol=0.05)


def attention_calls(patcher):
    """The MODEL, and the rows of every self-attention that is computed."""
    seen = []
    spied = patcher.clone()

    def spy(n, context, value, options):
        seen.append((options["block"], len(n)))
        return n, context, value

    spied.set_model_attn1_patch(spy)
    return spied, seen


@pytest.mark.parametrize(
    ("settings", "last"),
    [
        ({"feature_until": 0.0}, ("output", 3)),
        ({"feature_until": 0.0, "attention_layers": "output 1"}, ("output", 1)),
        ({"attention_until": 0.0}, ("middle", 0)),  # the ResBlock of output 1 comes before its attention
        ({"attention_until": 0.0, "feature_layers": "input 1"}, None),
        ({"attention_layers": "input 1"}, ("middle", 0)),
    ],
)
def test_the_guide_passes_as_far_as_it_is_needed(settings, last):
    """And once a step, in one row, under a prompt of its own."""
    how = {"feature_until": 1.0, "attention_until": 1.0, **settings}
    given = plugged(SHALLOW, guide(SHALLOW), guide_prompt=empty(SHALLOW), **how)
    patched, seen = attention_calls(given[0])
    with spy_calls(model(SHALLOW)) as calls:
        sampled((patched, *given[1:]), words(SHALLOW, 5), words(SHALLOW, 6), cfg=4.0)
    assert [call.shape[0] for call in calls] == [1, 2] * 8
    guests = [block for block, rows in seen if rows == 1]
    assert (guests[-1] if guests else None) == last


def test_a_picture_of_another_shape(report):
    """Odd sizes go through."""
    out = output(SHALLOW, guide(SHALLOW, size=(5, 9)))
    assert out.shape[-2:] == (5, 9) and out.isfinite().all()
    assert "Left alone" not in report("PlugAndPlay")[0][1]
    assert SIZE != (5, 9)
