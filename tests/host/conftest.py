"""The host in this process, and the pack loaded beside it.

Flags of the host are taken from COMFYUI_FLAGS; without it attention is the one that GPUs use.
ATTENTION_CONTROL_DEVICE names the device, see `devices.py`.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pytest

from pack import load_pack, use_host

from . import devices

use_host()

import comfy.options  # noqa: E402  the host is found only now

comfy.options.enable_args_parsing()
flags = os.environ.get("COMFYUI_FLAGS", "--use-pytorch-cross-attention").split()
with patch.object(sys, "argv", ["main.py", *devices.host_flags(), *flags]):
    import comfy.cli_args

import comfy.utils  # noqa: E402
import folder_paths  # noqa: E402

from .tiny import SHAPES, tiny_clip  # noqa: E402

comfy.utils.set_progress_bar_enabled(False)  # no bars of the samplers among the dots of pytest
load_pack()  # so that test modules can import attention_control.nodes... at their top


@pytest.fixture(scope="session", autouse=True)
def device() -> Iterator[None]:
    """All tests compute on the device that was asked for."""
    with devices.in_use():
        yield


@pytest.fixture(scope="session")
def pack() -> ModuleType:
    """The pack, loaded by file location as `attention_control`."""
    return load_pack()


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> str:
    """Each of the three U-Net shapes in turn."""
    return request.param


@pytest.fixture(scope="session")
def clip() -> Any:
    """A text encoder with the host's real tokenizer; it stays as it is."""
    return tiny_clip("sd15")


@pytest.fixture
def temp(tmp_path: Path) -> Iterator[Path]:
    """The host's temporary folder."""
    before = folder_paths.get_temp_directory()
    folder_paths.set_temp_directory(str(tmp_path))
    yield tmp_path
    folder_paths.set_temp_directory(before)


@pytest.fixture
def report(caplog: pytest.LogCaptureFixture) -> Callable[..., list[tuple[str, str]]]:
    """Level and text of the lines that the pack logs: all, or of the nodes with a label."""
    caplog.set_level(logging.INFO)

    def lines(label: str = "") -> list[tuple[str, str]]:
        start = f"[Attention Control] {label}: " if label else "[Attention Control] "
        return [
            (record.levelname, record.getMessage().removeprefix(start))
            for record in caplog.records
            if record.getMessage().startswith(start)
        ]

    return lines
