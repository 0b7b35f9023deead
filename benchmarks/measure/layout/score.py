"""What came of a layout, as the demo model's judge sees it."""

from collections.abc import Sequence

from attention_control.demo_model.judge import Found, Verdict, overlap

from measure.layout.prompts import Ask

LEAST_OVERLAP = 0.3  # intersection over union; a subject that fills half of its box and stays in it has 0.5
Score = dict[str, list[float]]


def in_boxes(ask: Ask, verdict: Verdict) -> list[Found | None]:
    """The subject found in each box; pairs are taken by overlap, the largest first, each subject once."""
    pairs = sorted(
        (
            (overlap(tuple(map(float, wanted.box)), found.box), box, number)
            for box, wanted in enumerate(ask.wanted)
            for number, found in enumerate(verdict.subjects)
        ),
        reverse=True,
    )
    taken: dict[int, int] = {}
    for share, box, number in pairs:
        if share >= LEAST_OVERLAP and box not in taken and number not in taken.values():
            taken[box] = number
    return [verdict.subjects[taken[box]] if box in taken else None for box in range(len(ask.wanted))]


def score(asked: Sequence[Ask], verdicts: Sequence[Verdict]) -> Score:
    """The first three for each box, the others for each picture.

    Confidence is the mean of the judge's for what it finds, 0 if it finds nothing; it falls where a picture
    gets garish or grainy. Place is whether the background is the one asked for.
    """
    kinds = ("something in box", "subject in box", "subject and colour in box")
    found: Score = {kind: [] for kind in (*kinds, "exact count", "place", "confidence")}
    for ask, verdict in zip(asked, verdicts, strict=True):
        for wanted, one in zip(ask.wanted, in_boxes(ask, verdict), strict=True):
            subject = one is not None and one.noun == wanted.noun
            colour = one is not None and one.colour == wanted.colour
            for kind, hit in zip(kinds, (one is not None, subject, subject and colour), strict=True):
                found[kind].append(float(hit))
        scores = [one.score for one in verdict.subjects]
        found["exact count"].append(float(len(scores) == len(ask.wanted)))
        found["place"].append(float(verdict.background == ask.background))
        found["confidence"].append(sum(scores) / len(scores) if scores else 0.0)
    return found
