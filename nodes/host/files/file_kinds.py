"""Where the files of our nodes lie: in the host's input and output folders, told apart by their endings."""

import os
import reprlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import folder_paths

from .listing import files_below


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
        output = folder_paths.get_output_directory()
        wanted = os.path.normpath(prefix.strip())
        if wanted == os.curdir:
            wanted = self.prefix
        if not folder_paths.is_within_directory(output, os.path.join(output, wanted)):
            raise ValueError(
                f"filename_prefix: {reprlib.repr(prefix)} leads out of the output folder {output}; write a "
                f"name such as {self.prefix}"
            )
        try:
            folder, name, number, _subfolder, _prefix = folder_paths.get_save_image_path(wanted, output)
            path = Path(folder, f"{name}_{number:05}_{self.ending}")
            with suppress(FileNotFoundError):
                path.lstat()
        except OSError as error:
            raise ValueError(
                f"filename_prefix: no file can be written as {reprlib.repr(prefix)} ({error.strerror}); "
                f"write a name such as {self.prefix}"
            ) from error
        return path


MAPS = FileKind(".attention.safetensors", "attention/maps")
INVERSIONS = FileKind(".inversion.safetensors", "inversions/picture")


def path_of(name: str) -> Path:
    """The file that an entry of a list of saved files names."""
    return Path(folder_paths.get_annotated_filepath(name))


def state_of(name: str) -> str:
    """Changes with the file that an entry names."""
    state = path_of(name).stat()
    return f"{state.st_mtime_ns} {state.st_size}"
