"""The viewer's JavaScript type-checks, laid out as it is served, against the front end's published types."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ..npm_packages import installed

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(__file__).resolve().parent / "web_types"
WRONG = {
    "viewer/caption.js": ("payload.slices[time].time.toFixed(2)", "payload.slices[time].when.toFixed(2)"),
    "attention_map_viewer.js": ("node.setSize([", 'node.setSize(["wide", '),
}


@pytest.fixture(scope="module")
def tools() -> Path:
    """TypeScript and the published types."""
    return installed("web-types", TOOLS)


def complaints(tools: Path, folder: Path, wrong: str | None = None) -> str:
    """What the checker says of web/ as it is served; `wrong` is a file in which to make a mistake first."""
    web = folder / "extensions" / "attention-control"
    shutil.copytree(ROOT / "web", web)
    shutil.copytree(TOOLS / "scripts", folder / "scripts")
    shutil.copy(TOOLS / "tsconfig.json", folder)
    (folder / "node_modules").symlink_to(tools / "node_modules", target_is_directory=True)
    if wrong is not None:
        text, (right, mistake) = (web / wrong).read_text(encoding="utf-8"), WRONG[wrong]
        assert right in text
        (web / wrong).write_text(text.replace(right, mistake), encoding="utf-8")
    binary = "tsc.exe" if os.name == "nt" else "tsc"
    (program,) = (tools / "node_modules" / "@typescript").glob(f"typescript-*/lib/{binary}")
    answer = subprocess.run([program, "-p", folder], capture_output=True, text=True, check=False)
    assert (answer.returncode == 0) == (answer.stdout == "")
    return answer.stdout


def test_web_has_sound_types(tools: Path, tmp_path: Path) -> None:
    """`tsc --checkJs`, strict, has no complaint."""
    assert complaints(tools, tmp_path) == ""


@pytest.mark.parametrize("wrong", WRONG)
def test_checker_sees_mistakes(wrong: str, tools: Path, tmp_path: Path) -> None:
    """It knows the viewer's own types and those of the front end, and names the file."""
    assert f"{wrong}(" in complaints(tools, tmp_path, wrong)
