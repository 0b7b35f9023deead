"""The page of the talk, from what has been made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from record_file import recorded
from talk_figures import REMARKS_ON, Figure

PAGE, FOLDER, RECORD = "talk.md", "talk", "talk.json"
HEAD = """# The talk on one page

Its figures in their order. Each that is there was made by a workflow of this pack with Pocket Diffusion, the
demo model, by the seeds that it names; nothing is picked. `python scripts/talk.py` makes this page. Prompts
and titles of pictures are read from the workflows. What a picture lacks was seen by somebody who looked at
it; where the model has been trained anew since, the page says that nobody has.
"""
NOT_SEEN = "*Nobody has looked at this one yet: the model has been trained anew.*"
Made = Mapping[str, Any]
"""By workflow: `key`, `model`, `seeds`, `prompts`, `parts`; `seconds` and what was `said`, or `failed`."""


def read_record(output: Path) -> dict[str, Any]:
    """What is known of earlier runs."""
    return recorded(output / FOLDER / RECORD)


def picture_of(number: int, figure: Figure) -> str:
    """The name of a figure's file."""
    return f"{number:02}_{Path(figure.workflow).name}.jpg"


def page(figures: Sequence[Figure], made: Made, output: Path) -> str:
    """The page as Markdown."""
    parts = [HEAD]
    for number, figure in enumerate(figures, 1):
        parts += [f"## {number}. {figure.title}\n", *_figure(number, figure, made, output)]
    return "\n".join(parts)


def _figure(number: int, figure: Figure, made: Made, output: Path) -> Iterator[str]:
    name, known = picture_of(number, figure), made.get(figure.workflow, {})
    linked = f"[{Path(figure.workflow).name}](<../example_workflows/{figure.workflow}.json>)"
    there = "seconds" in known and (output / FOLDER / name).is_file()
    if there:
        yield f"![{figure.title}](<{FOLDER}/{name}>)\n"
        seeds = f"seed {', '.join(map(str, known['seeds']))}, " if known["seeds"] else ""
        line = f"{figure.shows} {linked}, {seeds}{known['seconds']:.0f} s."
        yield " ".join([line, *_remarks(figure, known)]) + "\n"
        yield from _facts(known)
    elif "failed" in known:
        yield f"{figure.shows} *{linked} did not run: {known['failed']}.*\n"
    else:
        yield f"{figure.shows} *{linked} has not been run yet.*\n"


def _remarks(figure: Figure, known: Made) -> Iterator[str]:
    if figure.unlike:
        yield f"*Not as in the talk: {figure.unlike}.*"
    if known.get("model") != REMARKS_ON:
        yield NOT_SEEN
    elif figure.remark:
        yield f"*Seen: {figure.remark}.*"


def _facts(known: Made) -> Iterator[str]:
    if known.get("prompts"):
        yield f"Prompts: {'; '.join(known['prompts'])}.\n"
    if len(known.get("parts", [])) > 1:
        yield f"Pictures, in this order: {'; '.join(known['parts'])}.\n"
    for title, text in known.get("said", {}).items():
        yield f"<details><summary>{title}</summary>\n\n```\n{text}\n```\n\n</details>\n"
