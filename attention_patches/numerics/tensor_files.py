"""Tensors in safetensors files, with what they are as JSON in the header. Never pickle."""

import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .descriptions import Description, complaint
from .finite import all_finite

Value = TypeVar("Value")
Described = TypeVar("Described", bound=Description)
DIGITS = 9  # of a version
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@dataclass(frozen=True)
class FileFormat(Generic[Described]):
    """One kind of file. `key` is the header's name for the description; the rest is for messages."""

    name: str  # "attention maps": also what the header says
    version: int
    key: str
    writer: str  # the node that writes such files
    redo: str  # what makes a new one: "record and save the maps anew"
    description: type[Described]

    def save(self, path: Path, tensors: Mapping[str, Tensor], description: Described) -> None:
        """Write a file that appears as a whole or not at all.

        Raises ValueError for tensors that could not be loaded again, and OSError, naming the file, if it
        cannot be written.
        """
        if fault := _fault(tensors):
            raise ValueError(f"the {self.name} can't be saved: {fault}")
        kept = {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
        header = {"format": self.name, "version": str(self.version), self.key: description.model_dump_json()}
        temporary = path.with_name(f".{uuid.uuid4().hex}.part")  # no longer than the file's own name
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
            with suppress(OSError):  # nothing there, or a name that cannot be
                temporary.unlink()

    def load(self, path: Path, restore: Callable[[Described, dict[str, Tensor]], Value]) -> Value:
        """What `restore` makes of the description and the tensors, which are as they were, to the bit.

        Raises ValueError, naming the file and what to do, if it is missing, damaged, of another kind, or of
        a later version; if a part of it cannot be right, the part is named.
        """
        try:
            with safe_open(path, framework="pt", device="cpu") as file:
                text = self._description(path, file.metadata() or {})
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
            if fault := _fault(tensors):
                raise ValueError(fault)
            return restore(self.description.model_validate_json(text), tensors)
        except ValueError as error:
            problem = complaint(error) if isinstance(error, ValidationError) else str(error)
            raise ValueError(f"{path} is damaged: {problem}. {self._mend}") from error

    @property
    def _mend(self) -> str:
        return f"Copy it again from where it came from, or {self.redo}."

    def _description(self, path: Path, header: Mapping[str, str]) -> str:
        version = header.get("version", "")
        if header.get("format") != self.name or not version.isdecimal():
            raise ValueError(
                f"{path} holds no {self.name}: it is a safetensors file of another kind. Choose one that "
                f"{self.writer} has written."
            )
        if len(version) > DIGITS or int(version) > self.version:
            raise ValueError(
                f"{path} is of version {version[:DIGITS]}, and these nodes read up to version "
                f"{self.version}: a later Attention Control has written it. Update Attention Control."
            )
        return header.get(self.key, "")


def _fault(tensors: Mapping[str, Tensor]) -> str | None:
    """What makes one of the tensors useless, with its name; None if nothing does."""
    for name, tensor in tensors.items():
        if tensor.dtype not in DTYPES or not tensor.numel():
            kind = str(tensor.dtype).removeprefix("torch.")
            return f"{name} holds {kind} numbers of the shape {tuple(tensor.shape)}"
        if not all_finite(tensor):
            return f"{name} holds values that are no numbers (NaN or infinite)"
    return None


def megabytes(tensors: Mapping[str, Tensor]) -> float:
    """The size of tensors in a file."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()) / 2**20
