"""The leakage between subjects as text."""

from collections.abc import Iterator, Sequence

from ...attention_patches.layout.leakage import Leakage

HEAD = (
    "subject",
    "area",
    "words: in its box",
    "in others'",
    "outside",
    "pixels: at its own",
    "at others'",
    "at the rest",
)
NO_QUERIES = (
    "The scatter plot is left out: no queries were recorded. Switch on `queries_and_keys` of the recorder, "
    "with `record` self or both."
)


def leakage_tables(found: Sequence[Leakage]) -> str:
    """A table for each image: where a subject's words are seen and what its pixels look at, in percent; then
    the subjects that are neglected."""
    lines: list[str] = []
    for image, each in enumerate(found):
        if len(found) > 1:
            lines += ["", f"image {image}"] if image else [f"image {image}"]
        lines += _table(each)
        lines += _neglected(each)
    if all(each.queries is None for each in found):
        lines += ["", NO_QUERIES]
    return "\n".join(lines)


def _table(each: Leakage) -> Iterator[str]:
    rows = [HEAD, *(_row(each, number) for number in range(len(each.subjects)))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        yield "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        if number == 0:
            yield "| " + " | ".join("-" * width for width in widths) + " |"


def _row(each: Leakage, number: int) -> tuple[str, ...]:
    words: tuple[str, ...] = ("-",) * 3
    if each.words is not None:
        own, outside = each.words_own(number), float(each.words[number, -1])
        words = tuple(f"{max(share, 0):.0%}" for share in (own, 1 - own - outside, outside))
    pixels: tuple[str, ...] = ("-",) * 3
    if each.pixels is not None:
        own, rest = float(each.pixels[number, number]), float(each.pixels[number, -1])
        pixels = tuple(f"{max(share, 0):.0%}" for share in (own, 1 - own - rest, rest))
    return f"{number + 1} {each.subjects[number].phrase}", f"{float(each.areas[number]):.0%}", *words, *pixels


def _neglected(each: Leakage) -> Iterator[str]:
    if each.words is None:
        return
    for number, subject in enumerate(each.subjects):
        taken, dense = each.taken_by(number), each.concentration(number)
        name = f"Neglected: {number + 1} {subject.phrase}"
        if taken is not None:
            yield f"{name}: in its box the words of {taken + 1} {each.subjects[taken].phrase} are stronger."
        elif dense < 1:
            yield f"{name}: its words are seen less in its box than elsewhere ({dense:.2f} of the mean)."
