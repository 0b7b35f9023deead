"""Inversions in files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ..numerics.tensor_files import FileFormat
from .inversion import Inversion, ModelIdentity

FORMAT = FileFormat("inversion", 1, "inversion", "Save Inversion", "invert the picture and save it anew")


def save_inversion(path: Path, inversion: Inversion) -> None:
    """Write a file that appears as a whole or not at all. Raises OSError, naming the file, if that fails."""
    FORMAT.save(path, tensors(inversion), _describe(inversion))


def load_inversion(path: Path) -> Inversion:
    """Read a file that `save_inversion` wrote; the tensors are as they were, to the bit.

    Raises ValueError, naming the file and what to do, if it is missing, damaged, of another kind, or of a
    later version.
    """
    return FORMAT.load(path, _restore)


def tensors(inversion: Inversion) -> dict[str, Tensor]:
    """What of an inversion is kept as tensors, by name."""
    always = {"sigmas": inversion.sigmas, "states": inversion.states}
    return always if inversion.noise is None else {**always, "noise": inversion.noise}


def _describe(inversion: Inversion) -> dict[str, Any]:
    model = inversion.model
    return {
        "method": inversion.method,
        "cfg": inversion.cfg,
        "prompt": inversion.prompt,
        "model": {
            "architecture": model.architecture,
            "weights": model.weights,
            "changes": model.changes,
        },
    }


def _restore(described: Mapping[str, Any], kept: dict[str, Tensor]) -> Inversion:
    model = described["model"]
    weights = tuple(float(weight) for weight in model["weights"])
    noise = kept.pop("noise", None)
    inversion = Inversion(
        described["method"],
        kept.pop("sigmas"),
        kept.pop("states"),
        noise,
        ModelIdentity(str(model["architecture"]), weights, str(model["changes"])),
        float(described["cfg"]),
        str(described["prompt"]),
    )
    if kept:
        raise ValueError(f"{', '.join(kept)} belongs to no inversion")
    return inversion
