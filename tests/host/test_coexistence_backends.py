"""The host's attention functions: the laws hold on each that runs on a CPU."""

import os
import subprocess
import sys
from pathlib import Path

import comfy.ldm.modules.attention
import pytest

BACKENDS = {"": "attention_sub_quad", "--use-pytorch-cross-attention": "attention_pytorch"}


def test_backend_is_the_one_asked_for():
    """The host took the attention function that its flags ask for; with none of ours the one of --cpu."""
    flags = os.environ.get("COMFYUI_FLAGS", "--use-pytorch-cross-attention")
    assert comfy.ldm.modules.attention.optimized_attention.__name__ == BACKENDS[flags]


@pytest.mark.slow
def test_all_of_this_holds_with_the_attention_of_cpus():
    """Methods equal their naive versions, and change nothing where they are off, in a host that was started
    with --cpu and no more."""
    chosen = "equals_naive and sd15 or off_is_off and aligned-sd15 or the_one_asked_for or overrides"
    files = ["test_laws.py", "test_coexistence_attention.py", Path(__file__).name]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", chosen, *files],
        cwd=Path(__file__).parent,
        env={**os.environ, "COMFYUI_FLAGS": ""},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
    assert " passed" in result.stdout
    assert " skipped" not in result.stdout
