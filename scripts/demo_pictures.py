"""Run a workflow on a server, with a progress bar, and save what it makes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from contact_sheet import Batch, contact_sheet, thumbnail
from failures import Failure
from host_client import Client, Picture, pictures_in
from host_server import Server
from run_progress import title
from ui_workflow import to_prompt

Json = dict[str, Any]


@dataclass(frozen=True)
class Result:
    """What a prompt made: its pictures, the file behind each of them, and texts by the node showing one."""

    prompt: Json
    pictures: Sequence[Picture]
    contents: Sequence[bytes]
    texts: Mapping[str, str] = field(default_factory=dict)

    def batches(self) -> list[Batch]:
        """The pictures of each saving node, under its title."""
        found: dict[str, list[Image.Image]] = {}
        for picture, content in zip(self.pictures, self.contents, strict=True):
            found.setdefault(picture.node, []).append(Image.open(io.BytesIO(content)))
        in_order = sorted(found, key=list(self.prompt).index)
        return [Batch(title(self.prompt, node), found[node]) for node in in_order]

    def said(self) -> dict[str, str]:
        """The texts that nodes for texts show, by their titles."""
        previews = [x for x in self.texts if self.prompt.get(x, {}).get("class_type") == "PreviewAny"]
        return {title(self.prompt, node): self.texts[node] for node in previews}


async def run_workflow(server: Server, workflow: Json) -> Result:
    """Run `workflow`, in either form, on the server; raises Failure if it saves no picture."""
    async with Client(server.address) as client:
        prompt = to_prompt(workflow, await client.object_info())
        with tqdm(total=len(prompt), bar_format="{l_bar}{bar}| {elapsed}") as bar:

            def show(done: float, running: str) -> None:
                bar.set_description_str(running or "done", refresh=False)
                bar.update(done - bar.n)

            outputs = await client.outputs(prompt, show, workflow if "nodes" in workflow else None)
        pictures = pictures_in(outputs)
        # Previews lie in the server's temporary folder; they count only where nothing else was saved.
        kept = [picture for picture in pictures if picture.type == "output"] or pictures
        if not kept:
            raise Failure("the workflow saved no picture", "give one with a Save Image node")
        texts = {
            node: "\n".join(map(str, output["text"])) for node, output in outputs.items() if "text" in output
        }
        return Result(prompt, kept, [await client.content(picture) for picture in kept], texts)


def save_all(result: Result, folder: Path, name: str, small: Path | None) -> list[Path]:
    """Save the pictures and, of several, a sheet of them all; returns the paths.

    Pictures of one name keep their subfolders. `small` is where a thumbnail of the last batch goes, if
    anywhere.
    """
    names = [p.filename for p in result.pictures]
    if len(set(names)) < len(names):
        names = [f"{p.subfolder}/{p.filename}" for p in result.pictures]
    files = [(folder / each, content) for each, content in zip(names, result.contents, strict=True)]
    sheet = contact_sheet(result.batches())
    if len(files) > 1:
        files.append((folder / f"{name}.png", encoded(sheet, "PNG")))
    if small is not None:
        files.append((small, encoded(thumbnail(result.batches()), "JPEG")))
    return [save(content, path) for path, content in files]


def encoded(picture: Image.Image, kind: str) -> bytes:
    """The bytes of an image file."""
    file = io.BytesIO()
    picture.save(file, kind, quality=88)
    return file.getvalue()


def save(content: bytes, path: Path) -> Path:
    """Write a file whole or not at all; returns its absolute path."""
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path.absolute()
