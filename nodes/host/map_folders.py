"""Where files of attention maps lie: in the host's input and output folders."""

from pathlib import Path

import folder_paths

ENDING = ".attention.safetensors"


def saved_files() -> list[str]:
    """The files that can be loaded, as the host writes them: `maps/a.attention.safetensors [output]`."""
    folders = (("output", folder_paths.get_output_directory()), ("input", folder_paths.get_input_directory()))
    return [
        f"{path.relative_to(folder).as_posix()} [{kind}]"
        for kind, folder in folders
        for path in sorted(Path(folder).rglob(f"*{ENDING}"))
    ]


def path_of(name: str) -> Path:
    """The file that an entry of that list names."""
    return Path(folder_paths.get_annotated_filepath(name))


def next_path(prefix: str) -> Path:
    """A new file in the output folder, numbered as the host numbers pictures.

    Raises ValueError if the prefix leads out of the folder.
    """
    output = folder_paths.get_output_directory()
    if not folder_paths.is_within_directory(output, str(Path(output, prefix).parent)):
        raise ValueError(
            f"filename_prefix: {prefix!r} leads out of the output folder {output}; write a name such as "
            "attention/maps"
        )
    folder, name, number, _subfolder, _prefix = folder_paths.get_save_image_path(prefix, output)
    return Path(folder, f"{name}_{number:05}_{ENDING}")
