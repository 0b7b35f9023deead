"""Run a part of the tests on each host that the package index holds, and write what held to `docs/hosts.md`:
`python scripts/hosts.py [VERSION ...]`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

OLDEST = (3, 10)
TESTS = (
    "tests/e2e/test_nodes.py",
    "tests/host/test_laws.py",
    "tests/host/test_guidance_laws.py",
    "tests/host/test_inversion_file_nodes.py",
    "tests/host/test_map_file_nodes.py",
    "tests/host/test_older_hosts.py",
)
CHOSEN = "not test_law or (sd15 and (same_seed_same_image or equals_naive))"
"""Of the laws two: each method runs through the host, and equals its naive version."""


def main() -> int:
    """Test the hosts that are named, or all; the page is printed. The others keep what was found before."""
    from environment import environment
    from failures import Failure
    from host_table import PAGE, found_in, recorded, written
    from pins import COMFYUI, HOSTS, ROOT

    wanted = sys.argv[1:] or list(HOSTS)
    if unknown := [version for version in wanted if version not in HOSTS]:
        raise Failure(
            f"the package index has no ComfyUI {', '.join(unknown)}", f"choose among {', '.join(HOSTS)}"
        )
    ours = environment(needs=["pytest", "pytest_timeout", "xdist", "hypothesis"])
    for version in wanted:
        print(f"ComfyUI {version}", file=sys.stderr)
        there = ours if HOSTS[version] == COMFYUI else replace(ours, comfyui=folder_of(version))
        with tempfile.TemporaryDirectory() as scratch:
            results = Path(scratch) / "results.xml"
            command = [str(ours.python), "-m", "pytest", "-n0", "-q", "--tb=line", f"--junitxml={results}"]
            subprocess.run([*command, *TESTS, "-k", CHOSEN], cwd=ROOT, env=there.variables(), check=False)
            if not results.is_file():
                raise Failure(f"no test ran on ComfyUI {version}", "see above")
            recorded(version, found_in(results))
    PAGE.write_text(written(), encoding="utf-8")
    print(PAGE)
    return 0


def folder_of(version: str) -> Path:
    """The source of this host, which is fetched once. It runs on the packages of ours."""
    from build_once import build_once
    from environment import cache_folder
    from host_source import fetch
    from pins import HOSTS

    def build(folder: Path) -> None:
        fetch(HOSTS[version], folder / "ComfyUI", folder.with_name(folder.name + ".log"))

    return build_once(cache_folder() / f"ComfyUI-{version}", build) / "ComfyUI"


if __name__ == "__main__":
    if sys.version_info[:2] < OLDEST:
        found = sys.version.split()[0]
        sys.exit(f"error: this is Python {found}: run the command with Python 3.10 or newer")
    from failures import command

    sys.exit(command(main))
