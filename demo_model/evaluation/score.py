"""Rates from the judge's verdicts; each is (hits, trials), so that nothing hides how few there were."""

from collections.abc import Sequence
from itertools import combinations

from ..judge import Verdict
from .prompts import Asked

Rate = tuple[int, int]


def score_single(asked: Sequence[Asked], verdicts: Sequence[Verdict]) -> dict[str, Rate]:
    """The best-scored subject must be the one asked for; colour is counted whatever the noun."""
    best = [max(v.subjects, key=lambda s: s.score, default=None) for v in verdicts]
    wanted = [a.wanted[0] for a in asked]
    return {
        "subject": _rate(
            s is not None and s.noun == noun for s, (noun, _, _) in zip(best, wanted, strict=True)
        ),
        "colour": _rate(
            s is not None and s.colour == colour for s, (_, colour, _) in zip(best, wanted, strict=True)
        ),
        "style": _rate(v.style == a.style for v, a in zip(verdicts, asked, strict=True)),
        "background": _rate(v.background == a.background for v, a in zip(verdicts, asked, strict=True)),
        "exactly one": _rate(len(v.subjects) == 1 for v in verdicts),
    }


def score_pairs(asked: Sequence[Asked], verdicts: Sequence[Verdict]) -> dict[str, Rate]:
    """Both nouns seen; among those, both colours right, or at least one noun in the other's colour."""
    both, right, swapped, neglect, two = [], [], [], [], []
    for a, v in zip(asked, verdicts, strict=True):
        (first, red, _), (second, blue, _) = a.wanted
        seen = {(s.noun, s.colour) for s in v.subjects}
        nouns = {noun for noun, _ in seen}
        both.append({first, second} <= nouns)
        neglect.append(len({first, second} & nouns) == 1)
        two.append(len(v.subjects) == 2)
        if both[-1]:
            right.append({(first, red), (second, blue)} <= seen)
            swapped.append(bool({(first, blue), (second, red)} & seen))
    return {
        "both present": _rate(both),
        "only one present (neglect)": _rate(neglect),
        "exactly two": _rate(two),
        "of those with both: colours right": _rate(right),
        "of those with both: a colour leaked": _rate(swapped),
    }


def score_counts(asked: Sequence[Asked], verdicts: Sequence[Verdict]) -> dict[str, Rate]:
    pairs = list(zip(asked, verdicts, strict=True))
    return {
        "count": _rate(len(v.subjects) == a.wanted[0][2] for a, v in pairs),
        "count within one": _rate(abs(len(v.subjects) - a.wanted[0][2]) <= 1 for a, v in pairs),
        "subject of each found": _rate(s.noun == a.wanted[0][0] for a, v in pairs for s in v.subjects),
        "colour of each found": _rate(s.colour == a.wanted[0][1] for a, v in pairs for s in v.subjects),
    }


def score_crowds(asked: Sequence[Asked], verdicts: Sequence[Verdict]) -> dict[str, Rate]:
    """Of three and more different subjects: all there, each there, and of those each in its colour."""
    all_there, there, right = [], [], []
    for a, v in zip(asked, verdicts, strict=True):
        seen = {(s.noun, s.colour) for s in v.subjects}
        found = [noun in {n for n, _ in seen} for noun, _, _ in a.wanted]
        all_there.append(all(found))
        there += found
        right += [(noun, colour) in seen for (noun, colour, _), f in zip(a.wanted, found, strict=True) if f]
    return {
        "all present": _rate(all_there),
        "each present": _rate(there),
        "of those present: colour right": _rate(right),
    }


def score_unstyled(asked: Sequence[Asked], verdicts: Sequence[Verdict]) -> dict[str, Rate]:
    """Pairs of seeds of one prompt that came out in one style: 20 % if styles were drawn evenly."""
    styles: dict[str, list[str]] = {}
    for a, v in zip(asked, verdicts, strict=True):
        styles.setdefault(a.text, []).append(v.style)
    same = [x == y for group in styles.values() for x, y in combinations(group, 2)]
    subject = [
        any(s.noun == a.wanted[0][0] for s in v.subjects) for a, v in zip(asked, verdicts, strict=True)
    ]
    return {"seeds in the same style": _rate(same), "subject, no style or colour named": _rate(subject)}


def _rate(hits: object) -> Rate:
    values = [bool(h) for h in hits]  # type: ignore[attr-defined]
    return sum(values), len(values)
