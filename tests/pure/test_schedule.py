"""Ranges of the schedule, and where a sigma stands on it."""

import math

import pytest
from attention_control.attention_patches.contract.schedule import PercentRange, Schedule
from hypothesis import given
from hypothesis import strategies as st


def falling(percent):
    """A schedule like the host's: far above all at 0, nothing at 1, falling between."""
    return 999999999.9 if percent <= 0 else 0.0 if percent >= 1 else 14.0 * (1 - percent) ** 2


SCHEDULE = Schedule(falling)
fractions = st.floats(0.0, 1.0)


@given(st.lists(fractions, min_size=3, max_size=3).map(sorted), st.floats(1e-9, 14.0))
def test_neighbouring_ranges_share_nothing_and_leave_nothing(cuts, sigma):
    """A sigma lies in exactly one of two neighbours if it lies in their union."""
    first, cut, last = cuts
    parts = [PercentRange(first, cut), PercentRange(cut, last)]
    within = sum(SCHEDULE.within(sigma, part) for part in parts)
    assert within == SCHEDULE.within(sigma, PercentRange(first, last))


@given(fractions)
def test_a_range_holds_its_start_and_not_its_end(percent):
    """Start included, end excluded, in the host's sigmas."""
    here = falling(percent)
    assert SCHEDULE.within(here, PercentRange(percent, 1.0)) == (here > 0)
    assert not SCHEDULE.within(here, PercentRange(0.0, percent))
    assert not SCHEDULE.within(here, PercentRange(percent, percent))


@given(st.floats(1e-9, 14.7))
def test_the_whole_range_holds_every_sigma(sigma):
    """Zero to one leaves no step out, the first and the last included."""
    assert SCHEDULE.within(sigma, PercentRange(0.0, 1.0))


def test_errors_quote_both_ends():
    """A reversed range and a value outside 0..1 are refused with their numbers."""
    with pytest.raises(ValueError, match=r"0\.8.*0\.25"):
        PercentRange(0.8, 0.25)
    with pytest.raises(ValueError, match=r"end_percent is 1\.5"):
        PercentRange(0.0, 1.5)


@given(st.floats(0.001, 0.999), st.sampled_from([-5e-6, 5e-6]))
def test_rounding_moves_no_step_across_an_end(percent, rounding):
    """Schedulers of one model give the same step sigmas that differ in their last digits."""
    here = falling(percent) * (1 + rounding)
    assert SCHEDULE.within(here, PercentRange(percent, 1.0))
    assert not SCHEDULE.within(here, PercentRange(0.0, percent))


@given(st.floats(0.001, 0.999))
def test_percent_is_the_inverse(percent):
    """Of the host's own function; beyond its ends it stays within 0..1."""
    assert SCHEDULE.percent(falling(percent)) == pytest.approx(percent, abs=1e-6)
    assert SCHEDULE.percent(1e9) == SCHEDULE.percent(math.inf) == 0.0
    assert SCHEDULE.percent(0.0) == 1.0


def test_the_host_is_asked_for_few_percents_and_for_none_twice():
    """It may have to wait for a device each time."""
    asked = []
    schedule = Schedule.of(lambda percent: asked.append(percent) or falling(percent))
    for _ in range(3):
        schedule.percent(2.0)
        schedule.within(2.0, PercentRange(0.2, 0.8))
    assert len(asked) == len(set(asked)) < 20
