"""Failures speak: one line with the reason and the mend, no traceback, and the next run recovers."""

import importlib.util
import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from run_tool import diagnose

from .package_index import ARCHIVE, INNER, NAME, SHA256, VERSION, package_index

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"
FETCH = """
import sys
from pathlib import Path
from failures import command
from host_source import fetch
from pins import Source

def main():
    fetch(Source(*sys.argv[1:5]), Path(sys.argv[5]), Path(sys.argv[6]))
    return 0

sys.exit(command(main))
"""


@pytest.fixture(autouse=True)
def needs_pip() -> None:
    """These tests run the real pip."""
    if importlib.util.find_spec("pip") is None:
        pytest.skip(f"pip is not installed in {sys.executable}")


def variables(index: str, **more: str) -> dict[str, str]:
    """The environment of a stranger whose package index is `index`, in no mood to wait."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_", "COMFYUI_"))}
    pip = {"PIP_INDEX_URL": index, "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0", "PIP_NO_CACHE_DIR": "1"}
    return {**kept, **pip, "PYTHONPATH": str(SCRIPTS), **more}


def fetch(index: str, folder: Path, file_limit: int | None = None) -> subprocess.CompletedProcess[str]:
    """Fetch the index's package into `folder/source` in a process of its own."""

    def limit() -> None:
        if file_limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

    arguments = [NAME, VERSION, SHA256, "vendor/inner", str(folder / "source"), str(folder / "log")]
    return subprocess.run(
        [sys.executable, "-c", FETCH, *arguments],
        env=variables(index), capture_output=True, text=True, check=False, preexec_fn=limit,
    )  # fmt: skip


def complaint(answer: subprocess.CompletedProcess[str]) -> str:
    """The one line of a failure; asserts that it is a failure and has no traceback."""
    assert answer.returncode == 1, answer.stderr
    assert "Traceback" not in answer.stderr
    errors = [line for line in answer.stderr.splitlines() if "error" in line.lower()]
    assert len(errors) == 1 and errors[0] == answer.stderr.splitlines()[-1], answer.stderr
    return errors[0]


def closed_index() -> str:
    """The address of an index at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/simple"


def test_changed_archive_is_refused_and_of_a_good_one_the_inner_folder_is_unpacked(tmp_path: Path) -> None:
    """An archive whose hash differs is named as such and not unpacked. What is fetched then equals, file by
    file, what a good one holds beneath the folder asked for."""
    source = tmp_path / "source"
    with package_index(ARCHIVE[:-1] + b"?") as index:
        assert "SHA-256" in complaint(fetch(index, tmp_path))
    assert not source.exists()
    with package_index() as index:
        answer = fetch(index, tmp_path)
    assert answer.returncode == 0, answer.stderr
    found = {str(p.relative_to(source)): p.read_text() for p in source.rglob("*") if p.is_file()}
    assert found == INNER


def test_download_cut_short(tmp_path: Path) -> None:
    """A connection that ends in the middle of the file is told, and nothing is unpacked."""
    with package_index(fault="cut short") as index:
        line = complaint(fetch(index, tmp_path))
    assert "cut short" in line or "SHA-256" in line
    assert "run the command again" in line
    assert not (tmp_path / "source").exists()


def test_full_disk(tmp_path: Path) -> None:
    """A file that cannot grow is told as a full disk, with the variable that moves the cache."""
    with package_index() as index:
        line = complaint(fetch(index, tmp_path, file_limit=len(ARCHIVE) // 2))
    assert "disk is full" in line and "ATTENTION_CONTROL_CACHE" in line


@pytest.mark.parametrize("script", ["demo.py", "test.py"])
def test_commands_without_network_leave_nothing_half_built(script: str, tmp_path: Path) -> None:
    """Both commands, with an empty cache and an index that does not answer, say so in one line, with the
    settings that choose the index, and leave no environment."""
    env = variables(closed_index(), ATTENTION_CONTROL_CACHE=str(tmp_path))
    env.pop("PYTHONPATH")
    answer = subprocess.run(
        [sys.executable, SCRIPTS / script], env=env, capture_output=True, text=True, check=False
    )
    line = complaint(answer)
    assert "package index cannot be reached" in line and "PIP_INDEX_URL" in line
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


@pytest.mark.parametrize("script", ["demo.py", "test.py"])
@pytest.mark.parametrize("version", [(3, 9), (3, 99)])
def test_wrong_python(script: str, version: tuple[int, int], tmp_path: Path) -> None:
    """A Python that is too old or too new is named, with those that will do."""
    code = (
        f"import runpy, sys; sys.version_info = {(*version, 0, 'final', 0)}; sys.argv = ['x']; "
        f"sys.version = '{version[0]}.{version[1]}.0 x'; sys.path.insert(0, {str(SCRIPTS)!r}); "
        f"runpy.run_path({str(SCRIPTS / script)!r}, run_name='__main__')"
    )
    env = variables(closed_index(), ATTENTION_CONTROL_CACHE=str(tmp_path))
    answer = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False
    )
    line = complaint(answer)
    assert f"this is Python {version[0]}.{version[1]}" in line and "3.10" in line


def test_python_without_pip(tmp_path: Path) -> None:
    """A Python without pip is told how to get it."""
    env = variables(closed_index(), ATTENTION_CONTROL_CACHE=str(tmp_path))
    command = [sys.executable, "-S", SCRIPTS / "demo.py"]
    answer = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert "has no pip" in complaint(answer)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"COMFYUI_PATH": "/nowhere"}, "COMFYUI_PATH is '/nowhere'"),
        ({"COMFYUI_PATH": ".", "COMFYUI_PYTHON": "no-such-python"}, "COMFYUI_PYTHON is 'no-such-python'"),
    ],
)
def test_existing_install_that_is_none(setting: dict[str, str], words: str, tmp_path: Path) -> None:
    """A wrong COMFYUI_PATH or COMFYUI_PYTHON is quoted."""
    (tmp_path / "main.py").touch()
    env = variables(closed_index(), **setting)
    answer = subprocess.run(
        [sys.executable, SCRIPTS / "demo.py"],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert words in complaint(answer)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("error: Failed to fetch: x\n  cause: tcp connect error\n", "package index cannot be reached"),
        ("error: Failed to download `x`\n  cause: dns error\n", "package index cannot be reached"),
        ("error: Failed to write\n  cause: No space left on device (os error 28)", "disk is full"),
        ("error: Failed to download\n  cause: error decoding response body", "cut short"),
        ("all well\nerror: Because x was not found\nbye", "Because x was not found"),
        ("", "no message"),
    ],
)
def test_what_tools_say_is_understood(output: str, words: str, tmp_path: Path) -> None:
    """The words that uv uses for each fault lead to the matching reason."""
    assert words in str(diagnose("installing packages", output.splitlines(), tmp_path / "log"))
