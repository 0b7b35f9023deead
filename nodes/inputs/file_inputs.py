"""Where a node writes a file, and which file it reads."""

from typing import Any

from comfy_api.latest import io

from ..host.files.file_kinds import FileKind


def prefix_input(kind: FileKind) -> Any:
    """The beginning of the name of a new file."""
    return io.String.Input(
        "filename_prefix",
        default=kind.prefix,
        tooltip=(
            "Folder and beginning of the name in the output folder; a number follows. "
            f"%year%, %month% and %day% become the date. Empty: {kind.prefix}."
        ),
    )


def saved_file_input(kind: FileKind) -> Any:
    """One of the files that there are."""
    return io.Combo.Input(
        "file",
        options=kind.saved(),
        tooltip="A file in the output or input folder. Press R to see new files.",
    )


def file_output() -> Any:
    """The file that was written."""
    return io.String.Output(display_name="file", tooltip="The path of the file.")
