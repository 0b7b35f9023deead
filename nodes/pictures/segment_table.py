"""What a segmentation found, as a table that reads well as plain text and as Markdown."""

from collections.abc import Iterator, Sequence

from ...attention_patches.maps.self_segmentation.segmentation import Segmentation


def segment_tables(found: Sequence[Segmentation], names: Sequence[str]) -> str:
    """A table for each image: its segments, their share of the picture, labels, and scores of all subjects.

    Subjects without a segment are named below it.
    """
    return "\n\n".join(
        "\n".join([f"Image {image}", "", *_table(each, names), *_missing(each, names)])
        for image, each in enumerate(found)
    )


def _table(found: Segmentation, names: Sequence[str]) -> Iterator[str]:
    sizes = found.segments(found.clusters).flatten(1).float().mean(1).tolist()
    rows = [["segment", "label", "area", *(f"score: {name}" for name in names)]]
    for number, (size, label, scores) in enumerate(
        zip(sizes, found.labels, found.scores.tolist(), strict=True), start=1
    ):
        label_text = "background" if label is None else names[label]
        rows.append([str(number), label_text, f"{size:.0%}", *(f"{score:.2f}" for score in scores)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths) for row in rows]
    yield from (lines[0], _line(["-" * width for width in widths], widths), *lines[1:])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"


def _missing(found: Segmentation, names: Sequence[str]) -> Iterator[str]:
    without = [number for number in range(len(names)) if number not in found.labels]
    if not without:
        return
    yield ""
    for number in without:
        best = float(found.scores[:, number].max())
        yield f"{names[number]}: no segment, the mask is empty; the best score is {best:.2f}."
