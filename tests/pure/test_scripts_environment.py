"""Where the environment lies, what it needs, and whose package index fills it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import environment
from failures import Failure

ROOT = Path(__file__).resolve().parents[2]


def test_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """ATTENTION_CONTROL_CACHE is the cache folder."""
    monkeypatch.setenv("ATTENTION_CONTROL_CACHE", str(tmp_path))
    assert environment.cache_folder() == tmp_path


def test_cache_folder_is_outside_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Left to itself, the cache is an absolute path in nobody's repository."""
    monkeypatch.delenv("ATTENTION_CONTROL_CACHE", raising=False)
    folder = environment.cache_folder()
    assert folder.is_absolute() and not folder.is_relative_to(ROOT)


def test_bytecode_is_kept_in_the_cache_folder(tmp_path: Path) -> None:
    """Though the user keeps none, every process beneath a command writes it there and nowhere else."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "read.py").write_text("import sys\nprint(sys.pycache_prefix)")
    start = "import environment as e, pathlib as p, sys; e.Environment(p.Path(sys.executable), p.Path()).run"
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPYCACHEPREFIX"}
    answer = subprocess.run(
        [sys.executable, "-c", f"{start}(['-c', 'import read'])"],
        env={
            **kept,
            "PYTHONDONTWRITEBYTECODE": "1",
            "ATTENTION_CONTROL_CACHE": str(tmp_path / "cache"),
            "PYTHONPATH": os.pathsep.join([str(ROOT / "scripts"), str(tmp_path / "folder")]),
        },
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert answer.stdout.strip() == str(tmp_path / "cache" / "bytecode")
    assert list((tmp_path / "cache").rglob("read.*.pyc")) and not list((tmp_path / "folder").rglob("*.pyc"))


def test_too_little_space_is_told_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk with less room than the environment takes is named, with its size and the way out."""
    monkeypatch.setattr(environment, "SPACE", 1e18)
    with pytest.raises(Failure, match=r"GB free .* ATTENTION_CONTROL_CACHE"):
        environment.build(tmp_path)
    assert not list(tmp_path.iterdir())


def test_cache_that_is_a_file(tmp_path: Path) -> None:
    """A cache folder that cannot be one is named without a traceback."""
    (tmp_path / "file").touch()
    kept = {key: value for key, value in os.environ.items() if not key.startswith("COMFYUI_")}
    answer = subprocess.run(
        [sys.executable, ROOT / "scripts" / "demo.py"],
        env={**kept, "ATTENTION_CONTROL_CACHE": str(tmp_path / "file")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 1 and "Traceback" not in answer.stderr
    last = answer.stderr.splitlines()[-1]
    assert str(tmp_path / "file") in last and "ATTENTION_CONTROL_CACHE" in last


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "70000"], "70000"),
        (["--port", "x"], "no port"),
        (["--workflow", "none.json"], "there is no file none.json"),
        ([], "COMFYUI_PATH is not"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_built(
    arguments: list[str], words: str, tmp_path: Path
) -> None:
    """A port, a file or a setting that cannot be right is refused, and the cache stays empty."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("COMFYUI_")}
    answer = subprocess.run(
        [sys.executable, ROOT / "scripts" / "demo.py", *arguments],
        env={**kept, "ATTENTION_CONTROL_CACHE": str(tmp_path), "COMFYUI_PYTHON": sys.executable},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode != 0 and "Traceback" not in answer.stderr
    assert words in answer.stderr.splitlines()[-1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("own", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_uv_uses_the_index_of_pip_unless_it_has_its_own(own: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mirror that pip is set to use serves uv as well; one set for uv is left alone."""
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    assert environment.uv_index() == {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple"}
    monkeypatch.setenv(own, "http://127.0.0.1:8/simple")
    assert environment.uv_index() == {}
