"""What the user reads after a run."""

from attention_control.attention_patches.contract.report import RunReport, Tally
from attention_control.attention_patches.contract.site import Layer, Rows, Site


def site(ordinal, sigma, images=4):
    """A self-attention of a model of sixteen layers."""
    layer, rows = Layer(ordinal, 16, "input", ordinal, 0), Rows((1, 0), images)
    return Site("U-Net", "self", layer, (2, 2), slice(0, 4), slice(0, 0), 8, 0.0, sigma, 0.5, rows)


def test_layers_and_noise_levels_are_counted_once():
    """Two calls at one place and sigma are one layer and one noise level."""
    tally = Tally("Method", 16)
    for ordinal, sigma in ((1, 14.0), (1, 14.0), (2, 14.0), (2, 3.0)):
        tally.touch(site(ordinal, sigma))
    assert tally.describe(20) == "Method: 2 of 16 layers, 2 of 20 noise levels, 4 images."


def test_a_scope_alone_counts_as_work():
    """A patch that only opens scopes is not idle."""
    tally = Tally("Method", 16)
    tally.touch_scope(Rows((0,), 1), 14.0)
    assert not tally.idle
    assert tally.describe(2) == "Method: no attention layer, all group norms, 1 of 2 noise levels, 1 image."


def test_doing_nothing_is_told_apart():
    """Off, nothing to do, and touching nothing are three different lines; only the last is a warning."""
    cases = [Tally("M", 16, off=True), Tally("M", 16, nothing_to_do="one image"), Tally("M", 16)]
    assert [tally.idle for tally in cases] == [False, False, True]
    off, nothing, idle = (tally.describe(20) for tally in cases)
    assert off == "M: off."
    assert nothing == "M: nothing to do, one image."
    assert "WARNING" in idle


def test_remarks_name_what_passed_us_by():
    """Layers that another patch keeps to itself are named, with what else was left out."""
    report = RunReport([])
    assert report.remarks() == []
    report.missed.update(["middle 0.0 (self-attention)"] * 3 + ["output 1.0 (self-attention)"])
    for layer in ("input 1.0", "input 2.0", "input 1.0"):
        report.step_aside("another patch has cut the tokens", layer)
    cut, missed = report.remarks()
    assert cut == "Stepped aside 3 times, another patch has cut the tokens: input 1.0, input 2.0."
    assert missed.endswith(": middle 0.0 (self-attention), output 1.0 (self-attention).")
