"""What the benchmark of layouts asks for and how it counts, on pictures whose verdict is known."""

from typing import Any

import pytest
from attention_control.demo_model.judge import Found, Verdict

from pack import ROOT


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """The modules of the benchmark."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from measure.layout import prompts, score

    return prompts, score


def verdict(ask: Any, *found: Found) -> Verdict:
    return Verdict(found, "clay", {}, ask.background)


def shown(wanted: Any, shift: int = 0, **changes: str) -> Found:
    """What a judge finds if the subject is there, so many pixels to the right of its box."""
    left, top, right, bottom = wanted.box
    kinds = {"noun": wanted.noun, "colour": wanted.colour, **changes}
    return Found(style="clay", box=(left + shift, top, right + shift, bottom), score=0.8, **kinds)


def test_prompts_hold_their_phrases_and_boxes_lie_apart(bench: tuple[Any, Any]) -> None:
    """Eleven groups of 2 to 5 boxes within the picture, none over another, every phrase in the prompt."""
    groups = list(bench[0].asks(2))
    assert len({group[0].group for group in groups}) == len(groups) == 11
    for ask in (ask for group in groups for ask in group):
        boxes = [wanted.box for wanted in ask.wanted]
        assert all(0 <= x < r <= bench[0].SIZE and 0 <= y < b <= bench[0].SIZE for x, y, r, b in boxes)
        assert all(wanted.phrase in ask.text for wanted in ask.wanted)
        for number, (x, y, r, b) in enumerate(boxes):
            assert not any(x < z and w < r and y < q and v < b for w, v, z, q in boxes[:number])


def test_all_right_and_all_wrong(bench: tuple[Any, Any]) -> None:
    """Everything in its box counts fully; an empty picture counts for nothing but its background."""
    for ask in (group[0] for group in bench[0].asks(1)):
        right = bench[1].score([ask], [verdict(ask, *map(shown, ask.wanted))])
        assert right.pop("confidence") == [pytest.approx(0.8)]
        assert {share for shares in right.values() for share in shares} == {1.0}
        empty = bench[1].score([ask], [verdict(ask)])
        assert empty.pop("place") == [1.0]
        assert {share for shares in empty.values() for share in shares} == {0.0}


def test_swapped_colours_and_a_subject_beside_its_box(bench: tuple[Any, Any]) -> None:
    """Swapped colours leave the subject right; one out of its box is in none, and the count stays right."""
    ask = next(bench[0].asks(1))[0]
    one, other = ask.wanted
    swapped = verdict(ask, shown(one, colour=other.colour), shown(other, colour=one.colour))
    found = bench[1].score([ask], [swapped])
    assert found["subject in box"] == [1, 1] and found["subject and colour in box"] == [0, 0]
    beside = bench[1].score([ask], [verdict(ask, shown(one), shown(other, shift=200))])
    assert beside["something in box"] == [1, 0] and beside["exact count"] == [1]


def test_one_subject_does_not_fill_two_boxes(bench: tuple[Any, Any]) -> None:
    """What lies in two boxes counts for the one that it overlaps more."""
    prompts, scores = bench
    boxes = [(0, 0, 48, 40), (48, 0, 96, 40)]
    wanted = tuple(prompts.Wanted("cat", "red", "red cats", box) for box in boxes)
    ask = prompts.Ask("counted", "two red cats", "snow", wanted)
    wide = Found("cat", "red", "clay", (4.0, 0.0, 96.0, 40.0), 0.9)
    assert scores.in_boxes(ask, verdict(ask, wide)) == [None, wide]
