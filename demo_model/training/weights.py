"""Reading and writing the committed weights: the list with their hashes lies beside them."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from .. import architecture
from .files import Places


def vae_network(channels: int) -> Any:
    """The host's autoencoder of so many latent channels, its weights not yet set."""
    from comfy.ldm.models.autoencoder import AutoencoderKL

    return AutoencoderKL(**architecture.vae(channels))


def load_vae_network(places: Places) -> Any:
    """The host's autoencoder with our weights, float32, not to be trained."""
    weights = load_part(places.weights, "vae")
    network = vae_network(architecture.latent_channels(weights))
    network.load_state_dict(weights, strict=True)
    return network.eval().requires_grad_(False)


def load_part(folder: Path, part: str) -> dict[str, Tensor]:
    return {name: tensor.float() for name, tensor in load_file(folder / f"{part}.safetensors").items()}


def listed(*paths: Path) -> dict[str, dict[str, Any]]:
    """Size and SHA-256 of files, by their names."""
    entries = {}
    for path in paths:
        data = path.read_bytes()
        entries[path.name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return entries


def write_list(folder: Path) -> None:
    """`weights.json`: size and SHA-256 of every file, checked when the model is loaded."""
    entries = listed(*sorted(folder.glob("*.safetensors")))
    temporary = folder / f"weights.{os.getpid()}.part"
    temporary.write_text(json.dumps(entries, indent=2) + "\n")
    temporary.replace(folder / "weights.json")
