"""Which device the tests compute on: ATTENTION_CONTROL_DEVICE, which is `cpu` unless it is set.

`cuda`, or `cuda:1`, is a graphics card. `pretended` is a second device that is none, see there: with it the
rules of a graphics card can be tried where there is none.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import ModuleType
from unittest.mock import patch

import torch

from .pretended_device import PRETENDED, pretended_device

NAME = os.environ.get("ATTENTION_CONTROL_DEVICE", "cpu")
DEVICE = PRETENDED if NAME == "pretended" else torch.device(NAME)
EXACT = ("--fp32-text-enc", "--fp32-vae")  # which the host would else compute in half precision on a device


def host_flags() -> list[str]:
    """What the host has to be started with. Raises RuntimeError for a device that is not there."""
    if NAME == "cpu":
        return ["--cpu"]
    if NAME == "pretended":
        sys.modules["torch_directml"] = _directml()
        return ["--cpu", "--directml", *EXACT]  # the former, lest a CUDA build of torch is asked for a card
    kind, _, number = NAME.partition(":")
    if kind != "cuda" or not torch.cuda.is_available() or int(number or 0) >= torch.cuda.device_count():
        raise RuntimeError(
            f"ATTENTION_CONTROL_DEVICE is {NAME!r}, and torch {torch.__version__} finds "
            f"{torch.cuda.device_count()} CUDA devices. It can be cpu, pretended, cuda, or cuda:1 and so on."
        )
    return ["--cuda-device", number or "0", *EXACT]


@contextmanager
def in_use() -> Iterator[None]:
    """Tests run within this."""
    torch.backends.cudnn.allow_tf32 = False  # ten bits of precision, where tests compare with float64
    with pretended_device() if NAME == "pretended" else nullcontext():
        yield


@contextmanager
def host_on_the_pretended_device(everything: bool = False) -> Iterator[None]:
    """While open, the host of a run on the processor computes there.

    everything: also latents, texts and masks are kept there between nodes, as with its `--gpu-only`.
    """
    import comfy.cli_args
    import comfy.model_management

    host = comfy.model_management
    with (
        patch.object(host, "directml_enabled", True),
        patch.object(host, "directml_device", PRETENDED, create=True),
        patch.object(comfy.cli_args.args, "gpu_only", everything),
        nullcontext() if NAME == "pretended" else pretended_device(),
    ):
        yield


def _directml() -> ModuleType:
    """The part of `torch_directml` that the host uses."""
    module = ModuleType("torch_directml")
    module.device = lambda number=0: PRETENDED  # type: ignore[attr-defined]
    module.device_name = lambda number=0: "pretended"  # type: ignore[attr-defined]
    return module
