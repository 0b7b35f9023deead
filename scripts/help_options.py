"""The options of `python scripts/help_pictures.py`."""

from __future__ import annotations

import argparse
from pathlib import Path

from help_table import PICTURES, HelpPicture
from pins import ROOT


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    options = argparse.ArgumentParser(
        prog="help_pictures.py",
        description="Make the pictures of the help pages and of the README, each from workflows of "
        "example_workflows with the demo model, by the seeds that they name. Without a name those that their "
        "workflows or the model have changed since; so a run that was stopped goes on where it was.",
    )
    names = [name_of(picture) for picture in PICTURES]
    add = options.add_argument
    add("names", nargs="*", type=_known, metavar="NAME", help=f"make these anew: {', '.join(names)}")
    add("--output", type=Path, default=ROOT, metavar="DIR", help="where docs/ and web/docs/ are")
    return options


def name_of(picture: HelpPicture) -> str:
    """What a picture is called on the command line."""
    return Path(picture.file).stem


def _known(text: str) -> str:
    names = [name_of(picture) for picture in PICTURES]
    if text not in names:
        raise argparse.ArgumentTypeError(f"{text!r} is no picture: one of {', '.join(names)}")
    return text
