"""The part of `talk.py` that runs inside the environment."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from contact_sheet import contact_sheet
from demo_pictures import Result, encoded, run_workflow, save
from failures import Failure, command
from host_client import Client
from host_server import Server, running_server
from run_demo import comfyui, python, say
from talk_figures import FIGURES, Figure
from talk_options import parser
from talk_page import FOLDER, PAGE, RECORD, page, picture_of, read_record
from talk_workflows import facts_of, key_of, model_now, path_of
from ui_workflow import to_prompt
from workflow_file import read_workflow

QUICK = {"steps": 1, "guidance_iterations": 1}  # at most
Json = dict[str, Any]
Run = Callable[[Json], Result]


def main() -> int:
    """Make what is missing, then the page; its path is printed."""
    options = parser().parse_args()
    figures = [x for x in FIGURES if options.only is None or x.workflow in options.only]
    renumber(options.output)
    if not options.page and waiting(figures, options.output, options.quick):
        (options.output / FOLDER).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="attention-control-") as base:
            say("starting ComfyUI (about half a minute) ...")
            log = Path(base) / "server.log"
            with running_server(python(), comfyui(), Path(base), log) as server:
                make(figures, options.output, options.quick, runner(server, options.quick))
    written = page(FIGURES, read_record(options.output), options.output).encode()
    options.output.mkdir(parents=True, exist_ok=True)
    print(save(written, options.output / PAGE))
    return 0


def runner(server: Server, quick: bool) -> Run:
    """What runs a workflow on this server."""

    async def shortened(workflow: Json) -> Json:
        async with Client(server.address) as client:
            prompt = to_prompt(workflow, await client.object_info())
        for inputs in (node["inputs"] for node in prompt.values()):
            for name in QUICK.keys() & inputs.keys():
                if isinstance(inputs[name], int):
                    inputs[name] = min(inputs[name], QUICK[name])
        return prompt

    def run(workflow: Json) -> Result:
        return asyncio.run(run_workflow(server, asyncio.run(shortened(workflow)) if quick else workflow))

    return run


def make(figures: Sequence[Figure], output: Path, quick: bool, run: Run) -> None:
    """Run each workflow that is waiting once, and save its figures; what fails is noted, the rest made."""
    for name in waiting(figures, output, quick):
        say(name)
        workflow, began = read_workflow(path_of(name)), time.monotonic()
        found: Json = {"key": key_of(name, quick), "model": model_now(), **facts_of(workflow)}
        try:
            result = run(workflow)
        except Failure as failure:
            found["failed"] = failure.reason
        else:
            found |= {"seconds": time.monotonic() - began, "said": result.said()}
            save_figures(name, result, output)
        record = json.dumps({**read_record(output), name: found}, indent=1) + "\n"
        save(record.encode(), output / FOLDER / RECORD)


def save_figures(name: str, result: Result, output: Path) -> None:
    """The figures of a workflow, each a sheet of the pictures that it shows."""
    for number, figure in enumerate(FIGURES, 1):
        if figure.workflow == name:
            sheet = encoded(contact_sheet(result.batches()), "JPEG")
            save(sheet, output / FOLDER / picture_of(number, figure))


def renumber(output: Path) -> None:
    """Name the files of figures by their numbers of now, and remove those of what is a figure no longer."""
    names = [picture_of(number, figure) for number, figure in enumerate(FIGURES, 1)]
    now = {name.partition("_")[2]: name for name in names}
    for file in sorted((output / FOLDER).glob("[0-9][0-9]_*.jpg")):
        name = now.get(file.name.partition("_")[2])
        if name is None or (name != file.name and (output / FOLDER / name).exists()):
            file.unlink()
        else:
            file.rename(output / FOLDER / name)


def waiting(figures: Sequence[Figure], output: Path, quick: bool) -> list[str]:
    """The workflows that have to be run and can be, in the order of the talk."""
    made = read_record(output)
    names = dict.fromkeys(figure.workflow for figure in figures)
    return [name for name in names if not _up_to_date(name, made, output, quick)]


def _up_to_date(name: str, made: Json, output: Path, quick: bool) -> bool:
    known = made.get(name, {})
    files = [picture_of(number, x) for number, x in enumerate(FIGURES, 1) if x.workflow == name]
    there = all((output / FOLDER / file).is_file() for file in files)
    return there and "failed" not in known and known.get("key") == key_of(name, quick)


if __name__ == "__main__":
    sys.exit(command(main))
