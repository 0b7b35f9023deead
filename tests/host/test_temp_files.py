"""Pictures for the browser in the host's temporary folder."""

import os
from pathlib import Path

import folder_paths
import numpy as np
import pytest
from attention_control.nodes.host.files.temp_files import SUBFOLDER, forget_oldest, save_temp_png


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the files go, empty."""
    monkeypatch.setattr(folder_paths, "temp_directory", str(tmp_path))
    return tmp_path / SUBFOLDER


def saved(folder, value, age):
    """The file of a picture, written or used so many seconds ago."""
    path = Path(folder, save_temp_png(np.full((64, 64), value, np.uint8))["filename"])
    return path, path.stat().st_mtime - age


def test_what_was_used_longest_ago_is_forgotten(folder):
    """A picture that is shown again counts as new; the files of other nodes stay."""
    paths = []
    for value, age in ((1, 30), (2, 20), (3, 10)):
        path, time = saved(folder, value, age)
        os.utime(path, (time, time))
        paths.append(path)
    assert saved(folder, 1, 0)[0] == paths[0]
    (folder.parent / "other.png").touch()
    forget_oldest(sum(paths[n].stat().st_size for n in (0, 2)))
    assert [path.exists() for path in paths] == [True, False, True]
    assert (folder.parent / "other.png").exists()


def test_a_file_that_goes_while_others_are_forgotten_is_no_error(folder):
    """As where two servers share the folder: it is listed, and there no longer when it is looked at."""
    kept, _ = saved(folder, 1, 0)
    (folder / "gone.png").symlink_to(folder / "nowhere")
    forget_oldest()
    assert kept.exists()


def test_a_file_that_goes_while_it_is_shown_again_is_written_again(folder, monkeypatch):
    """Before it counts as new."""
    path, _ = saved(folder, 1, 0)
    touch = os.utime
    monkeypatch.setattr(os, "utime", lambda file: (file.unlink(), touch(file)))
    assert saved(folder, 1, 0)[0] == path and path.exists()


def test_a_picture_that_cannot_be_written_leaves_nothing_behind(folder, monkeypatch):
    """Least of all where the disk is full."""

    def full(image, path, **how):
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("PIL.Image.Image.save", full)
    with pytest.raises(OSError, match="No space"):
        save_temp_png(np.zeros((8, 8), np.uint8))
    assert not list(folder.iterdir())
