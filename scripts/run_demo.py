"""The part of the demo that runs inside the environment; `demo.py` starts it."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

from build_once import locked_at_once
from demo_options import parser
from demo_pictures import run_workflow, save_all
from environment import cache_folder, of_cache
from failures import Failure, command
from host_server import running_server
from workflow_file import read_workflow

ADDRESS = "address"


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
    try:
        base.mkdir(parents=True, exist_ok=True)
        (base / "lock").touch()
    except OSError as error:
        raise of_cache(error) from error
    while True:
        with locked_at_once(base / "lock") as ours:
            if ours:
                return serve_from(base, options.port)
        if address := address_in(base):
            print(address, flush=True)
            say("the web UI runs there already; stop it where it was started")
            return 0
        time.sleep(0.5)  # the other run is starting, or is just ending


def serve_from(base: Path, port: int | None) -> int:
    """Run the web UI on `base`, which is ours alone; its address stands in a file there while it runs."""
    note = base / ADDRESS
    note.unlink(missing_ok=True)
    say("starting ComfyUI (about half a minute) ...")
    with running_server(python(), comfyui(), base, base / "server.log", port) as server:
        note.write_text(server.address, encoding="utf-8")
        print(server.address, flush=True)
        say(f"the web UI runs there; its files are in {base}; stop it with Ctrl-C")
        try:
            server.process.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            note.unlink(missing_ok=True)
        raise Failure(f"the server ended ({server.last_words()})", f"see {server.log}")


def address_in(base: Path) -> str:
    """The address of the web UI that another run serves from `base`; empty while it is starting."""
    try:
        return (base / ADDRESS).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


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
