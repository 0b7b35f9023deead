"""The names of time slices."""

import pytest
from attention_control.attention_patches.maps.recorded import TimeSlice
from attention_control.attention_patches.maps.time_slices import later, parse_time

SLICES = [
    TimeSlice(0, 0.25, 0.95),
    TimeSlice(0.25, 0.5, 0.7),
    TimeSlice(0.5, 0.75, 0.4),
    TimeSlice(0.75, 1, 0.1),
]


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("all", None),
        (" all ", None),
        ("1", (0,)),
        ("4", (3,)),
        ("2-3", (1, 2)),
        ("2 - 4", (1, 2, 3)),
        ("1.0", (0,)),
        ("0.62", (1,)),
        (".5", (2,)),
        ("0.", (3,)),
    ],
)
def test_what_a_text_names(text, chosen):
    """Whole numbers count slices from 1; with a decimal point it is the nearest noise level."""
    assert parse_time(text, SLICES) == chosen


@pytest.mark.parametrize("text", ["", "0", "5", "3-2", "2-5", "1.5", "-1", "early", "0.1.2", "9" * 5000])
def test_what_no_text_names_is_refused(text):
    """With the slices that there are."""
    with pytest.raises(ValueError, match=r"1 \(t 0.95\), 2 \(t 0.70\), 3 \(t 0.40\), 4 \(t 0.10\)"):
        parse_time(text, SLICES)


def test_the_later_half():
    """By noise levels, the middle included; all (None) of a run that has no later half."""
    assert later(SLICES) == (2, 3)
    assert later([*SLICES[:2], TimeSlice(0.4, 0.6, 0.5)]) == (2,)
    assert later(SLICES[:2]) is None
