"""What the user reads after a run."""

import pytest
from attention_control.attention_patches.contract.call.site import Rows, Site
from attention_control.attention_patches.contract.layers.layer import Layer
from attention_control.attention_patches.contract.report import LEFT_TO_ANOTHER, RunReport, Tally

LAYERS = tuple(Layer(ordinal, 16, "input", ordinal, 0) for ordinal in range(1, 17))
SKIPPED_CALLS = "Not computed: 2 of 3 noise levels; another patch skips whole calls of the model."


def site(ordinal, sigma, images=4):
    """A self-attention of a model of sixteen layers."""
    rows = Rows((1, 0), images)
    return Site("U-Net", "self", LAYERS[ordinal - 1], (2, 2), slice(0, 4), slice(0, 0), 8, 0.0, sigma, rows)


def test_layers_and_noise_levels_are_counted_once():
    """Two calls at one place and sigma are one layer and one noise level."""
    tally = Tally("Method", 16)
    for ordinal, sigma in ((1, 14.0), (1, 14.0), (2, 14.0), (2, 3.0)):
        tally.touch(site(ordinal, sigma))
    run = RunReport([tally], sigmas=set(map(float, range(20))))
    assert tally.describe(run) == "Method: 2 of 16 layers, 2 of 20 noise levels, 4 images."


def test_a_scope_alone_counts_as_work():
    """A patch that only opens scopes is not idle."""
    tally = Tally("Method", 16)
    tally.touch_scope(Rows((0,), 1), 14.0)
    assert not tally.idle
    run = RunReport([tally], sigmas={14.0, 1.0})
    assert tally.describe(run) == "Method: no attention layer, all group norms, 1 of 2 noise levels, 1 image."


def test_doing_nothing_is_told_apart():
    """Off, nothing to do, and touching nothing are three different lines; only the last is a warning."""
    cases = [Tally("M", 16, off=True), Tally("M", 16, nothing_to_do="one image"), Tally("M", 16)]
    assert [tally.idle for tally in cases] == [False, False, True]
    off, nothing, idle = (tally.describe(RunReport(cases)) for tally in cases)
    assert off == "M: off."
    assert nothing == "M: nothing to do, one image."
    assert "WARNING" in idle


@pytest.mark.parametrize(
    ("counted", "seen", "reason"),
    [
        ({}, {}, "the sampler made no step"),
        ({"steps": 2}, {}, "another pack samples with options of its own"),
        ({"steps": 2, "passes": 2}, {}, "its range holds none of 1 noise level"),
        ({"steps": 2, "passes": 2}, {"passes": 2}, "none of its layers was computed"),
    ],
)
def test_the_last_word_names_the_reason(counted, seen, reason):
    """Why a method that was asked to work has done nothing."""
    tally = Tally("M", 16, **seen)
    run = RunReport([tally], sigmas={1.0}, **counted)
    assert tally.describe(run).startswith(f"M: WARNING, it touched no attention layer: {reason}")


def test_what_was_left_alone_comes_first_among_the_reasons():
    """The most frequent one."""
    tally = Tally("M", 16)
    for reason in ("tiles", "cut tokens", "tiles"):
        tally.step_aside(reason, "all layers")
    assert "no attention layer: tiles." in tally.describe(RunReport([tally]))


def test_guidance_that_shifts_is_not_idle():
    """Whether or not the attention of the run itself was seen."""
    assert not Tally("M", 16, shifts=1).idle


def test_remarks_name_what_passed_us_by():
    """Layers that another patch keeps to itself are named, with what else was left out."""
    tally = Tally("M", 16)
    assert tally.remarks() == []
    for layer in ("input 1.0", "input 2.0", "input 1.0"):
        tally.step_aside("another patch has cut the tokens", layer)
    for layer in ("middle 0.0 (self-attention)",) * 3 + ("output 1.0 (self-attention)",):
        tally.step_aside(LEFT_TO_ANOTHER, layer)
    cut, missed = tally.remarks()
    assert cut == "Stepped aside 3 times, another patch has cut the tokens: input 1.0, input 2.0."
    assert missed.startswith(
        "Left to another patch: middle 0.0 (self-attention), output 1.0 (self-attention); another patch"
    )


def test_calls_that_another_patch_skips_are_told():
    """By every method that works; and a pack that samples by itself."""
    skipped, alone = (RunReport([Tally("M", 16), Tally("N", 16, off=True)], steps=3) for _ in range(2))
    skipped.passes, tally = 1, skipped.tallies[0]
    tally.due, tally.asked = frozenset({3.0, 2.0, 1.0}), {3.0, 2.0}
    tally.follow(3.0, {1, 2}, LAYERS[:2])
    tally.follow(2.0, set(), LAYERS[:2])
    for run in (skipped, alone):
        run.close()
        assert run.tallies[1].remarks() == []
    assert tally.remarks() == [SKIPPED_CALLS]
    assert "options of its own" in alone.tallies[0].remarks()[0]


def test_samplers_with_noise_levels_of_their_own_skip_nothing():
    """What they were asked at counts, not the schedule."""
    run = RunReport([Tally("M", 16, due=frozenset({3.0, 2.0, 1.0}))], steps=3, passes=2)
    (tally,) = run.tallies
    tally.asked = {3.0, 1.5}
    for sigma in tally.asked:
        tally.follow(sigma, {1}, LAYERS[:1])
    run.close()
    assert tally.remarks() == []


def test_layers_that_another_patch_skips_at_times_are_told():
    """Those that the method works in, by name."""
    run = RunReport([Tally("M", 16, due=frozenset({3.0, 2.0}))], steps=2, passes=2)
    (tally,) = run.tallies
    tally.asked = {3.0, 2.0}
    tally.touch(site(2, 3.0))
    tally.follow(3.0, {1, 2, 3}, LAYERS[:3])
    tally.follow(2.0, {1}, LAYERS[:3])
    run.close()
    assert tally.remarks() == [
        "Not computed: input 2.0; another patch skips layers in some calls of the model."
    ]


def test_work_round_calls_of_the_sampler_alone_is_work():
    """Such a method has no layers to speak of."""
    tally = Tally("Method", 16)
    tally.touch_call(2, 14.0)
    assert not tally.idle
    run = RunReport([tally], sigmas={14.0, 1.0})
    assert tally.describe(run) == "Method: 1 of 2 noise levels, 2 images."
