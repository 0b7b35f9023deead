"""What a picture of the help is put together from: results of workflows, or of a script."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from PIL import Image

from contact_sheet import Batch
from demo_pictures import Result
from failures import Failure
from help_table import Given, HelpPicture, Part
from picture_rows import picture_rows
from pins import ROOT
from talk_workflows import key_of, weights

Run = Callable[[str, Given], Result]
"""Runs a workflow of example_workflows with other values of its inputs."""


def key(picture: HelpPicture) -> str:
    """What a picture hangs on: its entry, its workflows with what they load, and the model."""
    used = sorted({part.workflow for row in picture.rows for part in row})
    parts = [repr(picture), *(key_of(name, quick=False) for name in used)]
    if picture.script:
        parts += [(ROOT / picture.script).read_text("utf-8"), weights()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def drawn(picture: HelpPicture, run: Run) -> Image.Image:
    """The rows of a picture, from what its workflows make."""
    rows = [[batch_of(part, run(part.workflow, part.given)) for part in row] for row in picture.rows]
    return picture_rows(rows, picture.side)


def batch_of(part: Part, result: Result) -> Batch:
    """The pictures that a part shows, under its title."""
    found = {batch.title: batch.pictures for batch in result.batches()}
    if part.saved not in found:
        raise Failure(
            f"no node {part.saved!r} of {part.workflow!r} saved a picture",
            f"give its title in scripts/help_table.py: {', '.join(map(repr, found))}",
        )
    pictures = found[part.saved]
    shown = [pictures[i] for i in part.which] if part.which else pictures
    return Batch(part.saved if part.title is None else part.title, shown)


def set_inputs(prompt: dict[str, Any], given: Given) -> None:
    """Put other values into the inputs of a prompt; each must be there."""
    for kind, name, value in given:
        nodes = [x["inputs"] for x in prompt.values() if x["class_type"] == kind and name in x["inputs"]]
        if not nodes:
            raise Failure(f"no node {kind} has an input {name!r}", "see scripts/help_table.py")
        for inputs in nodes:
            inputs[name] = value
