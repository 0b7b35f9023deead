"""Which way the imports point."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from pack import ROOT

HOST = {
    "comfy",
    "comfy_api",
    "comfy_extras",
    "comfy_execution",
    "folder_paths",
    "nodes",
    "server",
    "execution",
}
PURE = sorted((ROOT / "attention_patches").rglob("*.py"))
METHODS = sorted((ROOT / "attention_patches" / "methods").glob("[!_]*.py"))


def imports(path):
    """(level, module) of every import in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or ""


@pytest.mark.parametrize("path", PURE, ids=lambda p: p.stem)
def test_attention_patches_do_not_know_the_host(path):
    """No module of the maths imports the host, nor climbs out of its folder."""
    depth = len(path.relative_to(ROOT / "attention_patches").parts)
    for level, module in imports(path):
        assert level or module.split(".")[0] not in HOST, f"{path.name} imports {module}"
        assert level <= depth, f"{path.name} imports from outside attention_patches"


@pytest.mark.parametrize("path", METHODS, ids=lambda p: p.stem)
def test_methods_do_not_import_each_other(path):
    """What two methods share moves down."""
    assert not [module for level, module in imports(path) if level == 1], "a method imports its neighbour"


def test_importing_the_pack_does_not_import_the_host_or_torch():
    """The host finds our nodes when it asks for them, and pays nothing before."""
    code = (
        "import sys; from pack import load_pack; before = set(sys.modules); load_pack();"
        f"print(*({HOST!r} | {{'torch'}}) & (set(sys.modules) - before))"
    )
    here = Path(ROOT / "scripts")
    done = subprocess.run([sys.executable, "-c", code], cwd=here, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
