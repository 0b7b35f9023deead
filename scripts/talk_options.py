"""The options of `python scripts/talk.py`."""

from __future__ import annotations

import argparse
from pathlib import Path

from pins import ROOT
from talk_figures import FIGURES


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    options = argparse.ArgumentParser(
        prog="talk.py",
        description="Make docs/talk.md: every figure of the talk in its order, each made by a workflow of "
        "example_workflows with the demo model. What is made already stays, unless its workflow or the model "
        "has changed; so a run that was stopped goes on where it was.",
    )
    made = sorted({figure.workflow for figure in FIGURES})
    add = options.add_argument
    add("--output", type=Path, default=ROOT / "docs", metavar="DIR", help="where talk.md and talk/ go")
    add("--only", nargs="*", choices=made, metavar="WORKFLOW", help=f"make these: {', '.join(made)}")
    add("--quick", action="store_true", help="one step a picture: a smoke run, of no use to look at")
    add("--page", action="store_true", help="write the page alone, of what is made already")
    return options
