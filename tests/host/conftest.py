"""The host in this process, on the CPU, and the pack loaded beside it."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


def _scripts_pack() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "scripts" / "pack.py"
    spec = importlib.util.spec_from_file_location("attention_control_scripts_pack", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPTS_PACK = _scripts_pack()
SCRIPTS_PACK.use_host()

import comfy.cli_args  # noqa: E402  the host is found only now

comfy.cli_args.args.cpu = True  # read once, when the host picks its device

import comfy.utils  # noqa: E402

from .tiny import SHAPES  # noqa: E402

comfy.utils.set_progress_bar_enabled(False)  # no bars of the samplers among the dots of pytest

SCRIPTS_PACK.load_pack()  # so that test modules can import attention_control.nodes... at their top


@pytest.fixture(scope="session")
def pack() -> ModuleType:
    """The pack, loaded by file location as `attention_control`."""
    return SCRIPTS_PACK.load_pack()


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> str:
    """Each of the three U-Net shapes in turn."""
    return request.param
