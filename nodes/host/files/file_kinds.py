"""Where the files of our nodes lie: in the host's input and output folders, told apart by their endings."""

import os
import re
import reprlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import folder_paths

from .listing import files_below

_VARIABLE = r"%\w+%"  # what the host puts a part of the date in place of


@dataclass(frozen=True)
class FileKind:
    """Files with one ending; `prefix` is what their names begin with unless the user chooses."""

    ending: str
    prefix: str

    def saved(self) -> list[str]:
        """The files that can be loaded, as the host writes them: `maps/a.attention.safetensors [output]`."""
        folders = (
            ("output", folder_paths.get_output_directory()),
            ("input", folder_paths.get_input_directory()),
        )
        return [
            f"{path.relative_to(folder).as_posix()} [{kind}]"
            for kind, folder in folders
            for path in sorted(files_below(folder, self.ending))
        ]

    def next_path(self, prefix: str) -> Path:
        """A new file in the output folder, numbered as the host numbers pictures; `""` is our own prefix.

        Raises ValueError if the prefix leads out of the folder, or no file can be called so.
        """
        try:
            folder, name, number, _subfolder, _prefix = folder_paths.get_save_image_path(
                self._inside(prefix), folder_paths.get_output_directory()
            )
            path = Path(folder, self._named(name, number))
            _require_possible(path)
        except OSError as error:
            raise ValueError(self._impossible(prefix, error)) from error
        return path

    def fault(self, prefix: str) -> str | None:
        """What is wrong with a prefix, without making a folder; None if nothing is as far as can be known."""
        try:
            name = re.sub(_VARIABLE, "0000", self._inside(prefix))
            path = Path(folder_paths.get_output_directory())
            for part in Path(name).parts:
                path /= part
                _require_possible(path)
            _require_possible(path.with_name(self._named(path.name, 1)))
        except OSError as error:
            return self._impossible(prefix, error)
        except ValueError as error:
            return str(error)
        return None

    def _inside(self, prefix: str) -> str:
        """The prefix as it is used. Raises ValueError if it leads out of the output folder."""
        output = folder_paths.get_output_directory()
        wanted = os.path.normpath(prefix.strip())
        if wanted == os.curdir:
            wanted = self.prefix
        if not _within(output, os.path.join(output, wanted)):
            raise ValueError(
                f"filename_prefix: {reprlib.repr(prefix)} leads out of the output folder {output}; write a "
                f"name such as {self.prefix}"
            )
        return wanted

    def _named(self, name: str, number: int) -> str:
        return f"{name}_{number:05}_{self.ending}"

    def _impossible(self, prefix: str, error: OSError) -> str:
        return (
            f"filename_prefix: no file can be written as {reprlib.repr(prefix)} ({error.strerror}); write a "
            f"name such as {self.prefix}"
        )


def _require_possible(path: Path) -> None:
    """Raises OSError if the file system has no such names; the file need not be there."""
    with suppress(FileNotFoundError):
        path.lstat()


MAPS = FileKind(".attention.safetensors", "attention/maps")
INVERSIONS = FileKind(".inversion.safetensors", "inversions/picture")


def path_of(name: str) -> Path:
    """The file that an entry of a list of saved files names."""
    return Path(folder_paths.get_annotated_filepath(name))


def state_of(name: str) -> str:
    """Changes with the file that an entry names."""
    state = path_of(name).stat()
    return f"{state.st_mtime_ns} {state.st_size}"


def _within(folder: str, path: str) -> bool:
    """Whether a path lies in a folder, links followed; the host has a function for this since 0.27.0."""
    try:
        folder, path = os.path.realpath(folder), os.path.realpath(path)
        return os.path.commonpath((folder, path)) == folder
    except ValueError:  # no path at all, or on another drive
        return False
