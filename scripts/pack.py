"""Load this checkout as the package `attention_control`, the way the host does: by file location."""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
NAME = "attention_control"


def load_pack() -> ModuleType:
    """The pack as a module; its parts then import as `attention_control.nodes...` and so on.

    The repository root never goes on `sys.path`: our `nodes/` would hide the host's `nodes.py`.
    """
    if NAME in sys.modules:
        return sys.modules[NAME]
    spec = importlib.util.spec_from_file_location(
        NAME, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)
    return module


def use_host() -> Path:
    """Put the ComfyUI of `COMFYUI_PATH` first on `sys.path` and return its folder.

    Raises RuntimeError if the variable is missing or names no ComfyUI.
    """
    path = os.environ.get("COMFYUI_PATH", "")
    if not (Path(path) / "comfy").is_dir():
        raise RuntimeError(
            f"COMFYUI_PATH is {path!r}, which holds no ComfyUI; set it to a checkout of ComfyUI, "
            "or run `python scripts/test.py`, which brings its own"
        )
    if path not in sys.path:
        sys.path.insert(0, path)
    return Path(path)
