"""The pins hold together: versions for everything, and a name that changes with each of them."""

import os
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

import pins


def requirements(path: Path) -> list[Requirement]:
    """The requirements in a file that apply to this machine."""
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    found = [Requirement(line) for line in lines if line]
    here = default_environment()
    return [r for r in found if r.marker is None or r.marker.evaluate(dict(here))]


def test_everything_is_pinned_to_one_version() -> None:
    """Each line of the lock file names exactly one version, and no package has two for one machine."""
    locked = requirements(pins.REQUIREMENTS)
    assert all(len(r.specifier) == 1 and next(iter(r.specifier)).operator == "==" for r in locked)
    assert len({r.name.lower() for r in locked}) == len(locked)


def test_lock_satisfies_what_we_and_the_host_ask_for() -> None:
    """Every requirement of ours and of the host is locked, to a version that it allows."""
    if not os.environ.get("COMFYUI_PATH"):
        pytest.skip("COMFYUI_PATH names no ComfyUI; `python scripts/test.py` brings one")
    wanted = [Path(os.environ["COMFYUI_PATH"]) / "requirements.txt", pins.REQUIREMENTS.with_suffix(".in")]
    locked = {r.name.lower(): next(iter(r.specifier)).version for r in requirements(pins.REQUIREMENTS)}
    for requirement in (r for path in wanted for r in requirements(path)):
        assert requirement.specifier.contains(locked[requirement.name.lower()]), requirement


def test_name_of_the_environment_changes_with_every_pin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another requirement, another uv and another host each give another name; the same ones the same."""
    names = [pins.fingerprint(), pins.fingerprint()]
    assert names[0] == names[1]
    changed = tmp_path / "requirements.txt"
    changed.write_text(pins.REQUIREMENTS.read_text() + "extra==1\n")
    source = pins.Source("other", "1", "0" * 64, "x")
    for name, value in (("REQUIREMENTS", changed), ("UV", "uv==0"), ("COMFYUI", source)):
        with monkeypatch.context() as patch:
            patch.setattr(pins, name, value)
            names.append(pins.fingerprint())
    assert len(set(names)) == 4
