"""The part of the demo that runs inside the environment; `demo.py` starts it."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from build_once import locked
from contact_sheet import Batch, contact_sheet
from demo_options import parser
from environment import cache_folder
from failures import Failure, command
from host_client import Client, Picture
from host_server import Server, running_server
from run_progress import title
from ui_workflow import to_prompt

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
            paths = asyncio.run(make_pictures(server, workflow, options.workflow.stem, options.output))
    for path in paths:
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


async def make_pictures(server: Server, workflow: Json, name: str, folder: Path) -> list[Path]:
    """Run `workflow` on the server and save its pictures and, of several, a sheet of them all."""
    async with Client(server.address) as client:
        prompt = to_prompt(workflow, await client.object_info())
        with tqdm(total=len(prompt), unit="node", bar_format="{l_bar}{bar}| {elapsed}") as bar:

            def show(done: float, running: str) -> None:
                bar.set_description_str(running or "done", refresh=False)
                bar.update(done - bar.n)

            pictures = await client.run(prompt, show, workflow if "nodes" in workflow else None)
        kept = [p for p in pictures if p.type == "output"] or pictures
        if not kept:
            raise Failure("the workflow saved no picture", "give one with a Save Image node")
        contents = [await client.content(picture) for picture in kept]
    paths = [
        save(content, folder / picture.filename) for picture, content in zip(kept, contents, strict=True)
    ]
    if len(kept) > 1:
        sheet = io.BytesIO()
        contact_sheet(batches(prompt, kept, contents)).save(sheet, "PNG")
        paths.append(save(sheet.getvalue(), folder / f"{name}.png"))
    return paths


def batches(prompt: Json, pictures: Sequence[Picture], contents: Sequence[bytes]) -> list[Batch]:
    """The pictures of each saving node, under its title."""
    found: dict[str, list[Image.Image]] = {}
    for picture, content in zip(pictures, contents, strict=True):
        found.setdefault(picture.node, []).append(Image.open(io.BytesIO(content)))
    in_order = sorted(found, key=list(prompt).index)
    return [Batch(title(prompt, node), found[node]) for node in in_order]


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


def save(content: bytes, path: Path) -> Path:
    """Write a file whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path.absolute()


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
