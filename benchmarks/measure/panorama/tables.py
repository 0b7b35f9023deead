"""The tables of panoramas: seams by stride, one style in a batch, two styles in one picture."""

from typing import Any

from measure.pages.record import table

TEXT = (
    "Four prompts of scenes, 64 x 16 cells of the latents (512 x 128 pixels) in windows of 128 pixels, 20 "
    "steps of Euler, CFG 3. Seams: the step of brightness across the edges of windows over that between all "
    "other columns, beside it that of the plain run at the same columns. Windows of one style: the largest "
    "part of a panorama's windows that the judge reads in one style; no prompt names a style."
)
BATCHES = (
    "Batches of these four panoramas under StyleAligned, with the first one, whose prompt names a style, as "
    "the reference: windows of the three others in that style, over {named} styles."
)
SIDES = (
    "Two pictures of the model's own, inverted, give the left and the right half of a panorama their style "
    "by masks; {pairs} pairs of styles in both orders, from {noises} noises. Sides right: first and last "
    "windows in the style of the picture on their side, as the judge reads both. Mirrored: runs of which "
    "both orders are right, so that the styles change sides when the pictures do."
)


def shares(rows: dict[str, dict[str, float]]) -> str:
    """Percents by way and figure."""
    header = ["", *next(iter(rows.values()))]
    return table(header, [[name, *(f"{share:.0%}" for share in own.values())] for name, own in rows.items()])


def panorama(record: dict[str, Any]) -> str:
    """All three, each behind what it is of."""
    ways = [
        [name, f"{own['seams']:.2f}", f"{own['plain run there']:.2f}", f"{own['one style']:.0%}"]
        for name, own in record["ways"].items()
    ]
    parts = [
        TEXT,
        table(["", "seams", "plain run there", "windows of one style"], ways),
        BATCHES.format(named=record["styles named"]),
        shares(record["one style"]),
        SIDES.format(pairs=record["pairs"], noises=record["noises"]),
        shares(record["two styles"]),
    ]
    return "\n\n".join(parts)
