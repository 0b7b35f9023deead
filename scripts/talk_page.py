"""The page of the talk, from what has been made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from talk_figures import Figure

PAGE, FOLDER, RECORD = "talk.md", "talk", "talk.json"
HEAD = """# The talk on one page

Its figures in their order. Each that is there was made by a workflow of this pack with Pocket Diffusion, the
demo model, by the seeds that it names; nothing is picked. `python scripts/talk.py` makes this page.
"""
Made = Mapping[str, Any]
"""By workflow: `key`, `seeds`, and `seconds` or why it `failed`."""


def read_record(output: Path) -> dict[str, Any]:
    """What is known of earlier runs; nothing if there was none, or if its file is damaged."""
    try:
        found = json.loads((output / FOLDER / RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def picture_of(number: int, figure: Figure) -> str:
    """The name of a figure's file."""
    return f"{number:02}_{figure.workflow}.jpg"


def page(figures: Sequence[Figure], made: Made, output: Path) -> str:
    """The page as Markdown."""
    parts = [HEAD]
    for number, figure in enumerate(figures, 1):
        parts += [f"## {number}. {figure.title}\n", *_figure(number, figure, made, output)]
    return "\n".join(parts)


def _figure(number: int, figure: Figure, made: Made, output: Path) -> Iterator[str]:
    name = picture_of(number, figure)
    known = made.get(figure.workflow, {})
    if not figure.workflow:
        yield f"{figure.shows} *Missing: no workflow makes it yet; it needs {figure.remark}.*\n"
    elif "failed" in known:
        yield f"{figure.shows} *`{figure.workflow}.json` did not run: {known['failed']}.*\n"
    elif not known or not (output / FOLDER / name).is_file():
        yield f"{figure.shows} *`{figure.workflow}.json` has not been run yet.*\n"
    else:
        seeds = f"seed {', '.join(map(str, known['seeds']))}, " if known["seeds"] else ""
        yield f"![{figure.title}](<{FOLDER}/{name}>)\n"
        yield (
            f"{figure.shows} [{figure.workflow}](<../example_workflows/{figure.workflow}.json>), "
            f"{seeds}{known['seconds']:.0f} s."
            + (f" *Not as in the talk: {figure.remark}.*" if figure.remark else "")
            + "\n"
        )
