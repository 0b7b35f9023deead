"""Where training keeps what it makes, and writing files so that a reader never sees half of one."""

import hashlib
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

PART_BYTES = 15_000_000  # of a checkpoint: some machines give back files of 16 MB at most


@dataclass(frozen=True)
class Places:
    """`cache` holds drawings and latents, `state` checkpoints (never committed), `weights` finished files."""

    cache: Path
    weights: Path
    state: Path


def save_tensors(path: Path, state: dict[str, Any]) -> None:
    """One file, however large: what never leaves the machine."""
    temporary = path.with_suffix(f".{os.getpid()}.partial")
    torch.save(state, temporary)
    temporary.replace(path)


def load_tensors(path: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def save_checkpoint(folder: Path, name: str, state: dict[str, Any], part_bytes: int = PART_BYTES) -> None:
    """The state of a training as `name.json` and parts of at most `part_bytes` each.

    The list is written last and names its parts by their content: whatever interrupts the writing, the list
    that is there fits its parts.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getvalue()
    pieces = [data[first : first + part_bytes] for first in range(0, len(data), part_bytes)]
    digest = hashlib.sha256(data).hexdigest()
    names = [f"{name}-{digest[:12]}-{number:02d}.part" for number in range(len(pieces))]
    for part, piece in zip(names, pieces, strict=True):
        _write(folder / part, piece)
    _write(folder / f"{name}.json", json.dumps({"sha256": digest, "parts": names}).encode())
    for old in folder.glob(f"{name}-????????????-??.part"):
        if old.name not in names:
            old.unlink()


def has_checkpoint(folder: Path, name: str) -> bool:
    return (folder / f"{name}.json").is_file()


def load_checkpoint(folder: Path, name: str) -> dict[str, Any]:
    """What `save_checkpoint` has written; RuntimeError if a part is missing or another one's."""
    try:
        listed = json.loads((folder / f"{name}.json").read_text())
        data = b"".join((folder / part).read_bytes() for part in listed["parts"])
    except (OSError, KeyError, ValueError) as error:
        raise RuntimeError(
            f"the checkpoint {name} in {folder} cannot be read ({error!r}): bring {name}.json and all parts "
            f"that it lists into that folder, or start with --afresh"
        ) from error
    if hashlib.sha256(data).hexdigest() != listed["sha256"]:
        raise RuntimeError(
            f"the parts of the checkpoint {name} in {folder} are damaged; bring them anew, or start with "
            f"--afresh"
        )
    state: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return state


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_suffix(f".{os.getpid()}.partial")
    temporary.write_bytes(data)
    temporary.replace(path)


def save_weights(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Half precision safetensors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.partial")
    save_file({k: v.detach().half().contiguous().cpu() for k, v in tensors.items()}, temporary, metadata)
    temporary.replace(path)
