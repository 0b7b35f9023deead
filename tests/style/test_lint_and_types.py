"""Lint, format and types, as tests, so that one run tells everything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from environment import cache_folder

ROOT = Path(__file__).resolve().parents[2]
CACHE = ("--cache-dir", str(cache_folder() / "mypy"))  # what torch's types say outlives a checkout


def check(*command: str, env: dict[str, str] | None = None) -> None:
    """Fail with the checker's output unless it is content; skip where it is not installed."""
    tool = command[0]
    answer = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    if f"No module named {tool}" in answer.stderr:
        pytest.skip(f"{tool} is not installed in {sys.executable}")
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_ruff_finds_nothing() -> None:
    """The linter has no complaint about any Python file of the checkout."""
    check("ruff", "check", ".")


def test_code_is_formatted() -> None:
    """The formatter would change no Python file of the checkout."""
    check("ruff", "format", "--check", "--diff", ".")


def test_pack_has_sound_types(tmp_path: Path) -> None:
    """The pack type-checks under the package name that it has in the tests."""
    (tmp_path / "attention_control").symlink_to(ROOT, target_is_directory=True)
    packages = ("attention_control.attention_patches", "attention_control.nodes")
    options = ("--config-file", str(ROOT / "pyproject.toml"), *CACHE)
    selected = [word for package in packages for word in ("-p", package)]
    check("mypy", *options, *selected, env={**os.environ, "MYPYPATH": str(tmp_path)})


def test_scripts_have_sound_types() -> None:
    """The scripts type-check as the top-level modules that they are."""
    scripts = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "scripts").glob("*.py"))
    options = ("--explicit-package-bases", "--config-file", str(ROOT / "pyproject.toml"), *CACHE)
    check("mypy", *options, *scripts, env={**os.environ, "MYPYPATH": str(ROOT / "scripts")})
