"""The host that the tests of this folder run."""

import os
from pathlib import Path

import pytest


def comfyui() -> Path:
    """The host under test; a named skip where there is none."""
    if not os.environ.get("COMFYUI_PATH"):
        pytest.skip("COMFYUI_PATH names no ComfyUI; `python scripts/test.py` brings one")
    return Path(os.environ["COMFYUI_PATH"])
