"""Where training keeps what it makes, and writing files so that a reader never sees half of one."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor


@dataclass(frozen=True)
class Places:
    """`cache` holds drawings, latents and checkpoints (never committed); `weights` the finished files."""

    cache: Path
    weights: Path


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    temporary = path.with_suffix(f".{os.getpid()}.part")
    torch.save(state, temporary)
    temporary.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def save_weights(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Half precision safetensors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.part")
    save_file({k: v.detach().half().contiguous().cpu() for k, v in tensors.items()}, temporary, metadata)
    temporary.replace(path)
