"""The part of `help_pictures.py` that runs inside the environment."""

from __future__ import annotations

import asyncio
import functools
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from demo_pictures import Result, encoded, run_workflow, save
from failures import Failure, command
from help_options import name_of, parser
from help_parts import Run, drawn, key, set_inputs
from help_table import PICTURES, Given, HelpPicture
from host_client import Client
from host_server import Server, running_server
from pins import ROOT
from record_file import recorded
from run_demo import comfyui, python, say
from talk_workflows import model_now, path_of
from ui_workflow import to_prompt
from workflow_file import read_workflow

RECORD = Path("docs") / "help_pictures.json"
Script = Callable[[str], Path]
"""Runs a script of the repository; returns the folder with what it made."""


def main() -> int:
    """Make the pictures that are asked for, or those that are waiting; their paths are printed."""
    options = parser().parse_args()
    asked = [picture for picture in PICTURES if name_of(picture) in options.names]
    pictures = asked or waiting(options.output)
    with tempfile.TemporaryDirectory(prefix="attention-control-") as base:
        folder = Path(base)
        script = functools.cache(functools.partial(run_script, folder / "made"))
        make([x for x in pictures if x.script], options.output, no_server, script)
        sampled = [x for x in pictures if not x.script]
        if sampled:
            say("starting ComfyUI (about half a minute) ...")
            with running_server(python(), comfyui(), folder / "server", folder / "server.log") as server:
                run = functools.cache(functools.partial(run_given, server))
                make(sampled, options.output, run, script)
    return 0


def make(pictures: Sequence[HelpPicture], output: Path, run: Run, script: Script) -> None:
    """Make each picture, whole or not at all, and note what it was made with."""
    for picture in pictures:
        say(picture.file)
        if picture.script:
            content = (script(picture.script) / Path(picture.file).name).read_bytes()
        else:
            content = encoded(drawn(picture, run), "JPEG")
        print(save(content, output / picture.file), flush=True)
        made = {**recorded(output / RECORD), picture.file: {"key": key(picture), "model": model_now()}}
        save((json.dumps(made, indent=1, sort_keys=True) + "\n").encode(), output / RECORD)


def waiting(output: Path) -> list[HelpPicture]:
    """The pictures that are not there, or that other workflows or another model made."""
    made = recorded(output / RECORD)
    known = {file: found.get("key") for file, found in made.items()}
    return [x for x in PICTURES if not (output / x.file).is_file() or known.get(x.file) != key(x)]


def run_given(server: Server, name: str, given: Given) -> Result:
    """Run a workflow of example_workflows with other values of its inputs."""

    async def prompt() -> dict[str, object]:
        async with Client(server.address) as client:
            return to_prompt(read_workflow(path_of(name)), await client.object_info())

    found = asyncio.run(prompt())
    set_inputs(found, given)
    return asyncio.run(run_workflow(server, found))


def run_script(folder: Path, name: str) -> Path:
    """Run a script that makes pictures in the folder that it is given."""
    folder.mkdir(parents=True, exist_ok=True)
    ended = subprocess.run([sys.executable, ROOT / name, "--output", folder], stdout=sys.stderr)
    if ended.returncode:
        raise Failure(f"{name} failed", "see what it says above")
    return folder


def no_server(name: str, given: Given) -> Result:
    """What no picture of a script asks for."""
    raise AssertionError(name, given)


if __name__ == "__main__":
    sys.exit(command(main))
