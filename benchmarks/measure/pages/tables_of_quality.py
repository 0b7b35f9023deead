"""The tables of what the methods achieve, as Markdown, each from its file of figures."""

from typing import Any

from measure.editing import tables as editing_tables
from measure.pages import tables_of_shapes as shape_tables
from measure.pages.record import source, table
from measure.panorama import tables as panorama_tables
from measure.reading.paired import Told


def model(record: dict[str, Any]) -> str:
    """What the demo model can draw at all."""
    (named, of), (styled, every) = (record["one subject"][name] for name in ("subject", "style"))
    return (
        "The figures are for Pocket Diffusion, a small model in a small world. They show that a method does "
        "what its paper says, not how your checkpoint will look. The model draws a named subject in "
        f"{named / of:.0%} and a named style in {styled / every:.0%} of its pictures ({record['date']}; "
        "[its card](../demo_model/MODEL_CARD.md)). Its five styles are the finish of a drawing and the tone "
        "of its ground. Where no style is named each seed has its own, one of five by chance, and the style "
        "nodes are to bring them together."
    )


def style_alignment(record: dict[str, Any]) -> str:
    variants = record["variants"]
    rows = [[name, *(f"{share:.0%}" for share in measures.values())] for name, measures in variants.items()]
    text = (
        "24 sets of four different subjects, no style or colour word: pairs of a set in the same style, "
        "pairs in the same colour, and pictures that show the subject asked for, as a judge trained on the "
        "demo model's world sees them."
    )
    made_by = source(record, "style_alignment.py", drawn=True)
    header = ["", *variants["StyleAligned"]]
    return f"{text}\n\n{table(header, rows)}\n\n{made_by}"


def style_of_a_picture(record: dict[str, Any]) -> str:
    variants = record["variants"]
    rows = [[name, *(f"{share:.0%}" for share in measures.values())] for name, measures in variants.items()]
    text = (
        "24 rendered scenes as references, inverted; three other subjects beside each, no style or colour "
        "word in any prompt. New pictures in the style of the scene, in its colour, with the subject asked "
        "for, and with the scene's own subject instead, as the judge sees them."
    )
    made_by = source(record, "style_alignment.py --from-a-picture", drawn=True)
    return f"{text}\n\n{table(['', *variants['plain batch']], rows)}\n\n{made_by}"


def layout(record: dict[str, Any]) -> str:
    groups, right = record["groups"], "subject and colour in box"
    rows = [
        [
            name,
            *(f"{figures[name][right]:.0%}" for figures in groups.values()),
            f"{own['exact count']:.0%}",
            f"{own['confidence']:.2f}",
            f"{own['CPU seconds']:.1f}",
        ]
        for name, own in record["all"].items()
    ]
    number = record["prompts in a group"]
    text = (
        "Boxes with the right subject in the right colour as the judge sees them, by kind of prompt and "
        f"number of subjects ({number} prompts each). Of all: pictures with as many subjects as boxes, the "
        "judge's confidence in what it finds, processor seconds for a picture. In training no picture had "
        "more than two kinds of subject, so three or more different ones are new to the demo model."
    )
    header = ["", *groups, "exact count", "confidence", "seconds"]
    made_by = source(record, f"layout.py --each {number}", drawn=True)
    return f"{text}\n\n{table(header, rows)}\n\n{made_by}"


def appearance(record: dict[str, Any]) -> str:
    variants = record["variants"]
    rows = [[name, *(f"{value:.2f}" for value in measures.values())] for name, measures in variants.items()]
    text = (
        f"{record['pairs']} pairs of rendered scenes that differ in subject, colour, style and background, "
        f"inverted in {record['steps']} steps. Structure IoU: the output's subject, found by a linear map on "
        f"the judge's features (IoU {record['subject reader IoU']:.2f} on scenes with known masks), with the "
        "structure's true mask. Colours moved: the part of the way from the structure's colours to the "
        "appearance's, inside the subject. The judge says how likely the appearance's style is, and whether "
        "it sees the appearance's colour and the structure's subject. img2img is told colour and style in "
        "words (the last row: the appearance's whole caption), Cross-Image only the structure's noun."
    )
    made_by = source(record, "appearance.py", drawn=True)
    return f"{text}\n\n{table(['', *variants['Cross-Image']], rows)}\n\n{made_by}"


def independent(record: dict[str, Any]) -> str:
    """Two tables: each way beside the first of them."""

    def rows(found: Told) -> list[list[Any]]:
        return [
            [way, *(f"{m:.2f} ({d:+.2f}: {low:+.2f} to {high:+.2f})" for m, d, low, high in own.values())]
            for way, own in found.items()
        ]

    style, look = (
        table(["", *next(iter(record[which].values()))], rows(record[which]))
        for which in ("style", "appearance")
    )
    return (
        f"The same sets, and the first {record['pairs']} of the pairs, inverted in {record['steps']} steps, "
        "under a judge that never saw the demo model's world: features and edges "
        "that VGG16 has learnt from photographs. Means; in brackets the paired difference to the first line "
        "and its 95 % interval. Texture distance (of Gram matrices) between the pictures of a set: lower is "
        f"more of one style.\n\n{style}\n\nTexture distance to the appearance, lower is nearer; agreement of "
        f"edges with the structure's, higher is nearer.\n\n{look}\n\n"
        f"{source(record, 'independent.py', drawn=True)}"
    )


def diagnosis(record: dict[str, Any]) -> str:
    rows = record["rows"]
    lines = [[name, *(_diagnosed(key, value) for key, value in own.items())] for name, own in rows.items()]
    number = record["pictures"]["to measure"]
    text = (
        f"{number} sampled pictures of two to four subjects in as many colours, where a judge says what is "
        f"seen, and {number} rendered scenes of two, probed, under words that are true of them, exchange "
        "their colours, name one subject more, name a wrong one for the second, or leave it out. F1 of what "
        "is found over all nouns (neglected) and all colours (of another subject), and how many there are in "
        "truth; the bounds (`present`, and `least_gain` if the model is asked) are chosen on as many others "
        "(the node's defaults are 0.5 and 0.15)."
    )
    made_by = source(record, "diagnosis.py", drawn=True)
    return f"{text}\n\n{table(['', *next(iter(rows.values()))], lines)}\n\n{made_by}"


def _diagnosed(key: str, value: float | None) -> str:
    """A cell: an F1, a share, or a bound, which rows without it leave open."""
    if value is None:
        return ""
    return f"{value:.0%}" if "truth" in key else f"{value:.2f}" if "F1" in key else f"{value:g}"


def editing(record: dict[str, Any]) -> str:
    kinds = record["kinds"]
    counts = ", ".join(f"{number} to {kind}" for kind, number in editing_tables.numbers(kinds).items())
    text = (
        f"Edits: {counts}; {record['steps']} steps of Euler, CFG 3. Edit right: the judge finds what "
        "was changed or added, or, where a colour was pushed away by a factor of -1 (by the host's weight 0 "
        "where there is no `reweight`), another colour than before. Rest right: subjects, colours, "
        "background and style, all that is not to change is as it was. PSNR: outside of the edited subject "
        "and a margin of 8 pixels; for another background inside of the subjects; for a style nowhere. The "
        "mask is the true one in a rendered scene, and else what a linear map on the judge's features (IoU "
        f"{record['subject reader IoU']:.2f} with true masks) finds in the judge's box. Structure IoU: of "
        "the subjects found so in the edit with those in the source. The first four columns are means over "
        "the kinds that a way is for; by kind: edit right / rest right. A scene is rendered, and inverted "
        "(DDIM, CFG 1) for P2P, which blends there, and for PnP. img2img goes on from "
        f"{record['img2img from']:.0%} of the schedule, where `self_until` ends; `as advised`: with the "
        "paper's ends of 0.2 for new nouns, places and styles, and the blend for all but styles."
    )
    lines = table(editing_tables.header(kinds), editing_tables.rows(kinds))
    aimed = table(["", "edit right", "rest right", "PSNR, dB"], editing_tables.beside_aims(kinds))
    against = (
        "Against what was aimed at, over those kinds that the blend is for, with what is left to chance by "
        "so many edits (one standard error):"
    )
    made_by = source(record, "editing.py", drawn=True)
    return f"{text}\n\n{lines}\n\n{against}\n\n{aimed}\n\n{made_by}"


def panorama(record: dict[str, Any]) -> str:
    return f"{panorama_tables.panorama(record)}\n\n{source(record, 'panorama.py', drawn=True)}"


def shapes(record: dict[str, Any]) -> str:
    text = (
        f"{record['sources']} sampled pictures of one subject, three other subjects as proxies of each; "
        f"{record['steps']} steps of Euler, CFG 3. Object IoU: of what is found of subjects (by a linear map "
        f"on the judge's features, IoU {record['subject reader IoU']:.2f} with true masks) in the variation "
        "and in the original; the shape has changed below 0.8. Class: the judge sees the original's noun in "
        "its place; rest: its colour, background and style. Background: PSNR outside of both objects and a "
        "margin of 8 pixels."
    )
    lines = table(["", *shape_tables.MEASURES], shape_tables.rows(record))
    made_by = source(record, "shapes.py", drawn=True)
    return f"{text}\n\n{lines}\n\n{made_by}"


def maps(record: dict[str, Any]) -> str:
    rows = record["rows"]
    header = list(next(iter(rows.values())))
    cells = [
        [name, *(f"{figures[key]:.2f}" if key in figures else "" for key in header)]
        for name, figures in rows.items()
    ]
    text = (
        f"{record['scenes']['to measure']} rendered scenes with known masks, one look at each by Attention "
        "Probe: does the highest point of a word's map lie on its subject (a random pixel does in "
        f"{record['mean area of a mask']:.0%}), and how well do masks overlap (mIoU)? Noise level, layers, "
        f"and thresholds were chosen on {record['scenes']['to choose with']} other scenes. {record['note']}"
    )
    made_by = source(record, "maps.py", drawn=True)
    return f"{text}\n\n{table(['', *header], cells)}\n\n{made_by}"


def inversion(record: dict[str, Any]) -> str:
    def figure(row: dict[str, Any]) -> str:
        worst = row["worst latent PSNR, dB"]
        return "over 100" if worst >= 100 else f"{row['latent PSNR, dB']:.0f} ({worst:.0f})"

    columns = sorted({row["steps"] for row in record["rows"]})
    settings: dict[str, dict[int, str]] = {}
    for row in record["rows"]:
        settings.setdefault(f"{row['method']}, CFG {row['cfg']:g}", {})[row["steps"]] = figure(row)
    rows = [[name, *(figures[steps] for steps in columns)] for name, figures in settings.items()]
    text = (
        f"{record['scenes']} rendered scenes, inverted and reconstructed with their captions at one CFG. "
        "PSNR in latent space in dB: mean (worst)."
    )
    header = ["", *(f"{steps} steps" for steps in columns)]
    made_by = source(record, "inversion.py", drawn=True)
    return f"{text}\n\n{table(header, rows)}\n\n{made_by}"
