"""Inversions in files."""

from pathlib import Path

from torch import Tensor

from ..numerics.descriptions import Description
from ..numerics.noise_path import NoisePath
from ..numerics.tensor_files import FileFormat
from .inversion import Inversion, InversionMethod, ModelIdentity


class ModelDescription(Description):
    """A ModelIdentity."""

    architecture: str
    weights: tuple[float, ...]
    changes: str


class InversionDescription(Description):
    """Everything of an inversion that is no tensor."""

    method: InversionMethod
    cfg: float
    prompt: str
    model: ModelDescription
    path: NoisePath = "variance exploding"  # files from before flows were known do not say it


FORMAT = FileFormat(
    "inversion",
    1,
    "inversion",
    "Save Inversion",
    "invert the picture and save it anew",
    InversionDescription,
)


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


def _describe(inversion: Inversion) -> InversionDescription:
    model = inversion.model
    return InversionDescription(
        method=inversion.method,
        cfg=inversion.cfg,
        prompt=inversion.prompt,
        path=inversion.path,
        model=ModelDescription(architecture=model.architecture, weights=model.weights, changes=model.changes),
    )


def _restore(described: InversionDescription, kept: dict[str, Tensor]) -> Inversion:
    model = described.model
    if missing := {"sigmas", "states"} - kept.keys():
        raise ValueError(f"{' and '.join(sorted(missing))} is missing")
    inversion = Inversion(
        described.method,
        kept.pop("sigmas"),
        kept.pop("states"),
        kept.pop("noise", None),
        ModelIdentity(model.architecture, model.weights, model.changes),
        described.cfg,
        described.prompt,
        described.path,
    )
    if kept:
        raise ValueError(f"{', '.join(kept)} belongs to no inversion")
    return inversion
