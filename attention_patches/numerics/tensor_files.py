"""Tensors in safetensors files, with what they are as JSON in the header. Never pickle."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

Value = TypeVar("Value")


@dataclass(frozen=True)
class FileFormat:
    """One kind of file. `key` is the header's name for the description; the rest is for messages."""

    name: str  # "attention maps": also what the header says
    version: int
    key: str
    writer: str  # the node that writes such files
    redo: str  # what makes a new one: "record and save the maps anew"

    def save(self, path: Path, tensors: Mapping[str, Tensor], description: Any) -> None:
        """Write a file that appears as a whole or not at all. Raises OSError, naming it, if that fails."""
        kept = {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
        header = {"format": self.name, "version": str(self.version), self.key: json.dumps(description)}
        temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            save_file(kept, temporary, header)
            temporary.replace(path)
        except (OSError, SafetensorError) as error:
            raise OSError(
                f"the {self.name} could not be written to {path} ({error}): see that the disk has "
                f"{megabytes(kept):.0f} MB left and that the folder may be written to"
            ) from error
        finally:
            if temporary.exists():
                temporary.unlink()

    def load(self, path: Path, restore: Callable[[Any, dict[str, Tensor]], Value]) -> Value:
        """What `restore` makes of the description and the tensors, which are as they were, to the bit.

        Raises ValueError, naming the file and what to do, if it is missing, damaged, of another kind, or of
        a later version.
        """
        try:
            with safe_open(path, framework="pt", device="cpu") as file:
                description = self._description(path, file.metadata() or {})
                # clones: the file may be replaced while the tensors are in use
                tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            if not path.exists():
                problem = f"there is no file {path}. Choose another, or refresh the list of files."
            else:
                problem = (
                    f"{path} can't be read as {self.name} ({error}): damaged, or of another kind. "
                    f"{self._mend}"
                )
            raise ValueError(problem) from error
        try:
            return restore(description, tensors)
        except (LookupError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path} is damaged: its parts do not fit together ({error!r}). {self._mend}"
            ) from error

    @property
    def _mend(self) -> str:
        return f"Copy it again from where it came from, or {self.redo}."

    def _description(self, path: Path, header: Mapping[str, str]) -> Any:
        version = header.get("version", "")
        if header.get("format") != self.name or not version.isdecimal():
            raise ValueError(
                f"{path} holds no {self.name}: it is a safetensors file of another kind. Choose one that "
                f"{self.writer} has written."
            )
        if int(version) > self.version:
            raise ValueError(
                f"{path} is of version {version}, and these nodes read up to version {self.version}: a later "
                "Attention Control has written it. Update Attention Control."
            )
        try:
            return json.loads(header[self.key])
        except (KeyError, ValueError) as error:
            raise ValueError(
                f"{path} is damaged: its description can't be read ({error!r}). {self._mend}"
            ) from error


def megabytes(tensors: Mapping[str, Tensor]) -> float:
    """The size of tensors in a file."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()) / 2**20
