"""The options of `python scripts/demo.py`."""

from __future__ import annotations

import argparse
from pathlib import Path

from pins import ROOT

WORKFLOW = ROOT / "example_workflows" / "01 One style for a whole batch.json"


def port(text: str) -> int:
    """A port that can be asked for; argparse tells the user of the error."""
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 1 to 65535")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """The parser of the demo's command line."""
    options = argparse.ArgumentParser(
        prog="demo.py",
        description="Make pictures with a real ComfyUI, this pack and its own small model. The first run "
        "builds an environment in a cache folder (ATTENTION_CONTROL_CACHE moves it). COMFYUI_PATH, and "
        "COMFYUI_PYTHON for its Python, use a ComfyUI that is there already and download nothing.",
    )
    add = options.add_argument
    add(
        "--workflow",
        type=Path,
        default=WORKFLOW,
        metavar="FILE",
        help="a workflow of the web UI, or a prompt",
    )
    add("--output", type=Path, default=ROOT / "output", metavar="DIR", help="where the pictures go")
    add(
        "--port",
        type=port,
        default=None,
        help="the server's port on the loopback interface (default: a free one)",
    )
    add(
        "--thumbnail", type=Path, metavar="FILE", help="save a small square JPEG of the last pictures as well"
    )
    add("--serve", action="store_true", help="start the web UI, print its address, and leave it running")
    return options
