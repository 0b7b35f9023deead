"""Ranges of the schedule and the progress of a run."""

import math

import pytest
from attention_control.attention_patches.contract.schedule import PercentRange, progress
from hypothesis import given
from hypothesis import strategies as st


def falling(percent):
    """A schedule like the host's: endless at 0, nothing at 1, falling between."""
    return math.inf if percent <= 0 else 0.0 if percent >= 1 else 14.0 * (1 - percent) ** 2


fractions = st.floats(0.0, 1.0)


@given(st.lists(fractions, min_size=3, max_size=3).map(sorted), st.floats(1e-9, 14.0))
def test_neighbouring_ranges_share_nothing_and_leave_nothing(cuts, sigma):
    """A sigma lies in exactly one of two neighbours if it lies in their union."""
    first, cut, last = cuts
    parts = [PercentRange(first, cut), PercentRange(cut, last)]
    within = sum(part.contains(sigma, falling) for part in parts)
    assert within == PercentRange(first, last).contains(sigma, falling)


@given(fractions)
def test_a_range_holds_its_start_and_not_its_end(percent):
    """Start included, end excluded, in the host's sigmas."""
    here = falling(percent)
    assert PercentRange(percent, 1.0).contains(here, falling) == (here > 0)
    assert not PercentRange(0.0, percent).contains(here, falling)
    assert not PercentRange(percent, percent).contains(here, falling)


@given(st.floats(1e-9, 14.7))
def test_the_whole_range_holds_every_sigma(sigma):
    """Zero to one leaves no step out, the first and the last included."""
    assert PercentRange(0.0, 1.0).contains(sigma, falling)


def test_errors_quote_both_ends():
    """A reversed range and a value outside 0..1 are refused with their numbers."""
    with pytest.raises(ValueError, match=r"0\.8.*0\.25"):
        PercentRange(0.8, 0.25)
    with pytest.raises(ValueError, match=r"end_percent is 1\.5"):
        PercentRange(0.0, 1.5)


SIGMAS = [14.6, 6.0, 2.0, 0.5, 0.0]


@pytest.mark.parametrize("sigmas", [SIGMAS, SIGMAS[::-1]], ids=["falling", "rising"])
def test_progress_counts_steps(sigmas):
    """Each step begins at its fraction of the run, whichever way the schedule goes."""
    assert [progress(sigma, sigmas) for sigma in sigmas] == pytest.approx([0, 0.25, 0.5, 0.75, 1.0])


def test_progress_between_steps_and_beyond_them():
    """Between two steps it lies between their fractions; outside the schedule it stays within 0..1."""
    assert progress(4.0, SIGMAS) == pytest.approx(0.375)
    assert progress(99.0, SIGMAS) == 0.0
    assert progress(0.0, [1.0]) == 0.0
