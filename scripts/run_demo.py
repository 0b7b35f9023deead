"""The part of the demo that runs inside the environment; `demo.py` starts it."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from build_once import locked
from demo_options import parser
from demo_pictures import run_workflow, save_all
from environment import cache_folder
from failures import Failure, command
from host_server import running_server

Json = dict[str, Any]


def main() -> int:
    """Serve the web UI, or run one workflow and save its pictures."""
    options = parser().parse_args()
    if options.serve:
        return serve(options)
    workflow = read_workflow(options.workflow)
    options.output.mkdir(parents=True, exist_ok=True)
    log = options.output / "server.log"
    with tempfile.TemporaryDirectory(prefix="attention-control-") as base:
        say("starting ComfyUI (about half a minute) ...")
        with running_server(python(), comfyui(), Path(base), log, options.port) as server:
            result = asyncio.run(run_workflow(server, workflow))
    for path in save_all(result, options.output, options.workflow.stem, options.thumbnail):
        print(path)
    return 0


def serve(options: argparse.Namespace) -> int:
    """Run the web UI until Ctrl-C; workflows and models stay in a folder of the cache."""
    base = cache_folder() / "web-ui"
    base.mkdir(parents=True, exist_ok=True)
    with locked(base / "lock"):
        say("starting ComfyUI (about half a minute) ...")
        with running_server(python(), comfyui(), base, base / "server.log", options.port) as server:
            print(server.address, flush=True)
            say(f"the web UI runs there; its files are in {base}; stop it with Ctrl-C")
            try:
                server.process.wait()
            except KeyboardInterrupt:
                return 0
            raise Failure(f"the server ended ({server.last_words()})", f"see {server.log}")


def read_workflow(path: Path) -> Json:
    """The workflow in a file; raises Failure if there is none."""
    try:
        workflow = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Failure(f"there is no file {path}", "give a workflow with --workflow") from None
    except ValueError as error:
        raise Failure(f"{path} is not JSON ({error})", "give a workflow as the web UI saves it") from None
    if not isinstance(workflow, dict):
        raise Failure(f"{path} is not a workflow", "give a workflow as the web UI saves it")
    return workflow


def python() -> Path:
    """The Python of this process, which is the host's as well."""
    return Path(sys.executable)


def comfyui() -> Path:
    """The host's folder, as `demo.py` found it."""
    return Path(os.environ["COMFYUI_PATH"])


def say(text: str) -> None:
    """A line for the person who waits, apart from the paths on standard output."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(command(main))
