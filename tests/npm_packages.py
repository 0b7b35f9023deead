"""Packages of npm that tests need and nothing ships: fetched once into the cache, as a lock file has them."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from build_once import build_once
from environment import cache_folder

FILES = ("package.json", "package-lock.json")


def installed(name: str, wanted: Path) -> Path:
    """A folder with the `node_modules` that the files in `wanted` ask for; a named skip without npm."""
    beside_python = str(Path(sys.executable).parent)
    npm = shutil.which("npm", path=os.pathsep.join([beside_python, os.environ.get("PATH", "")]))
    if npm is None:
        pytest.skip("npm is not installed")
    locked = b"".join((wanted / file).read_bytes() for file in FILES)

    def install(folder: Path) -> None:
        for file in FILES:
            shutil.copy(wanted / file, folder)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            pytest.skip(f"npm could not fetch {name}: {answer.stderr.strip()[-300:]}")

    return build_once(cache_folder() / f"{name}-{hashlib.sha256(locked).hexdigest()[:16]}", install)
