"""The environment of both commands: a Python with the host's packages, and the host's source."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from build_once import build_once
from failures import FULL, Failure, disk_full, of_os_error
from host_source import fetch
from pins import COMFYUI, NEWEST, OLDEST, REQUIREMENTS, UV, fingerprint
from run_tool import run_tool

CACHE = "ATTENTION_CONTROL_CACHE"
SPACE = 7e9


@dataclass(frozen=True)
class Environment:
    """A Python interpreter and the folder of the ComfyUI that it can run."""

    python: Path
    comfyui: Path

    def run(self, arguments: Sequence[str]) -> int:
        """Run the interpreter in place of this process (on Windows: beneath it).

        Its bytecode is kept in the cache folder, whatever the user's setting: without any the host takes
        twice as long to start, and elsewhere it would lie in the checkout and in the host's folder.
        """
        variables, command = self.variables(), [str(self.python), *arguments]
        if os.name == "nt":
            return subprocess.call(command, env=variables)
        sys.stdout.flush()
        sys.stderr.flush()
        os.execve(command[0], command, variables)

    def variables(self) -> dict[str, str]:
        """Those under which the interpreter runs."""
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        bytecode = {"PYTHONPYCACHEPREFIX": str(cache_folder() / "bytecode")}
        own = {"COMFYUI_PATH": str(self.comfyui), "COMFYUI_PYTHON": str(self.python)}
        return {**bytecode, **kept, **own}


def environment(needs: Sequence[str]) -> Environment:
    """The user's own install, if COMFYUI_PATH names one, else ours, built when it is used for the first time.

    `needs` are the modules that the caller imports beside those of the host.
    """
    if os.environ.get("COMFYUI_PATH"):
        return existing(
            Path(os.environ["COMFYUI_PATH"]), os.environ.get("COMFYUI_PYTHON") or sys.executable, needs
        )
    if os.environ.get("COMFYUI_PYTHON"):
        raise Failure(
            "COMFYUI_PYTHON is set, and COMFYUI_PATH is not",
            "set COMFYUI_PATH to the folder of the ComfyUI that it runs, or unset COMFYUI_PYTHON to let "
            "this command bring its own",
        )
    check_python()
    try:
        folder = build_once(cache_folder() / fingerprint(), build)
    except OSError as error:
        raise of_cache(error) from error
    return Environment(python_of(folder / "venv"), folder / "ComfyUI")


def existing(comfyui: Path, python: str, needs: Sequence[str]) -> Environment:
    """An install that is there already; nothing is downloaded for it."""
    if not (comfyui / "main.py").is_file():
        raise Failure(
            f"COMFYUI_PATH is {str(comfyui)!r}, which holds no main.py",
            "set it to the folder of a ComfyUI, or unset it to let this command bring its own",
        )
    found = shutil.which(python)
    if found is None:
        raise Failure(
            f"COMFYUI_PYTHON is {python!r}, which is no program",
            "set it to the Python that runs this ComfyUI",
        )
    wanted = ["torch", "aiohttp", "PIL", "tqdm", *needs]
    test = f"import importlib.util as u; print(*[m for m in {wanted!r} if u.find_spec(m) is None])"
    answer = subprocess.run([found, "-c", test], capture_output=True, text=True, check=False)
    if answer.returncode != 0 or answer.stdout.strip():
        missing = answer.stdout.strip() or "Python itself fails"
        raise Failure(
            f"{found} lacks what is needed here ({missing})",
            f"set COMFYUI_PYTHON to the Python that runs {comfyui}, or install these there",
        )
    return Environment(Path(found).absolute(), comfyui.absolute())


def check_python() -> None:
    """Raise Failure unless this Python can build the environment."""
    version = sys.version_info[:2]
    if not OLDEST <= version <= NEWEST:
        raise Failure(
            f"this is Python {version[0]}.{version[1]}, and the environment needs "
            f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}",
            "run the command with one of these",
        )
    if importlib.util.find_spec("pip") is None:
        raise Failure(
            f"{sys.executable} has no pip",
            "install it (Debian and Ubuntu: apt-get install python3-pip; elsewhere: python -m ensurepip)",
        )


def cache_folder() -> Path:
    """Where environments are kept: ATTENTION_CONTROL_CACHE, or the platform's folder for such things."""
    if os.environ.get(CACHE):
        return Path(os.environ[CACHE]).expanduser().absolute()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "attention-control"


def of_cache(error: OSError) -> Failure:
    """The failure behind an error at the cache folder; it names the variable that moves it."""
    if error.errno in FULL:
        return disk_full(f" at {cache_folder()}")
    return Failure(
        f"the cache folder {cache_folder()} cannot be used ({error.strerror or error})",
        f"set {CACHE} to a folder that you may write to, or make this one writable",
    )


def build(folder: Path) -> None:
    """Fill `folder` with ComfyUI/ and venv/; needs the package index, and nothing else from outside."""
    free = shutil.disk_usage(folder).free
    if free < SPACE:
        raise Failure(
            f"{folder.parent} has {free / 1e9:.1f} GB free and the environment needs {SPACE / 1e9:.0f} GB",
            f"free some space, or set {CACHE} to a folder on a larger disk",
        )
    print(f"building the environment in {folder} (once; about 3 GB to download)", file=sys.stderr)
    log = folder.with_name(folder.name + ".log")
    try:
        fetch(COMFYUI, folder / "ComfyUI", log)
        build_venv(folder, log)
    except OSError as error:
        raise of_os_error(error) from error


def build_venv(folder: Path, log: Path) -> None:
    """Make the virtual environment; uv needs neither `venv` nor `ensurepip`, which some systems leave out."""
    tools = folder / "tools"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run_tool("fetching uv", [*pip, "--target", str(tools), UV], log)
    uv = [sys.executable, "-m", "uv"]
    # uv's cache beside the environment: then it can link instead of copy, and one variable moves both.
    cache = os.environ.get("UV_CACHE_DIR") or str(cache_folder() / "uv")
    own = {"PYTHONPATH": str(tools), "UV_CACHE_DIR": cache, "UV_PYTHON_DOWNLOADS": "never"}
    variables = {**os.environ, **uv_index(), **own}
    run_tool(
        "making the environment",
        [*uv, "venv", "--python", sys.executable, str(folder / "venv")],
        log,
        variables,
    )
    install = [*uv, "pip", "install", "--python", str(python_of(folder / "venv")), "-r", str(REQUIREMENTS)]
    run_tool("installing packages", install, log, variables)


def uv_index() -> dict[str, str]:
    """The index that the user gave to pip, for uv, which does not read pip's settings."""
    if os.environ.get("UV_INDEX_URL") or os.environ.get("UV_DEFAULT_INDEX"):
        return {}
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    index = os.environ.get("PIP_INDEX_URL") or answer.stdout.strip()
    return {"UV_DEFAULT_INDEX": index} if index else {}


def python_of(venv: Path) -> Path:
    """The interpreter of a virtual environment."""
    return venv / "Scripts" / "python.exe" if os.name == "nt" else venv / "bin" / "python"
