"""The lists of saved files, which the host asks for again and again: whenever it shows or checks a node."""

import os
import random
import shutil
from collections import Counter
from unittest.mock import patch

import folder_paths
import pytest
from attention_control.nodes.host.files.file_kinds import MAPS
from attention_control.nodes.inspect.load_attention_maps_node import LoadAttentionMaps

LONG_AGO = 10**18  # ns: a time of the year 2001


@pytest.fixture
def output(tmp_path, monkeypatch):
    """The host's output folder, with maps and pictures in two folders, none touched for long; no input."""
    for kind in ("input", "output"):
        monkeypatch.setattr(folder_paths, f"{kind}_directory", str(tmp_path / kind))
    for name in ("a.attention.safetensors", "deep/b.attention.safetensors", "deep/c.png", "d.png"):
        write(tmp_path / "output" / name)
    age(tmp_path / "output", 0)
    return tmp_path / "output"


def write(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def age(folder, seconds):
    """Date the folders that have just changed as if that had been so many seconds after a time long ago."""
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        if path.stat().st_mtime_ns > 1.1 * LONG_AGO:
            os.utime(path, ns=(LONG_AGO, LONG_AGO + seconds * 10**9))


def names():
    """What the node offers."""
    (choice,) = LoadAttentionMaps.define_schema().inputs
    return choice.options


def looked_through(action):
    """How often each folder was read during an action."""
    with patch("os.scandir", wraps=os.scandir) as scandir:
        action()
    return Counter(str(call.args[0]) for call in scandir.call_args_list)


def test_folders_that_stay_the_same_are_read_once(output):
    """Ten times the list; then one folder changes, and that one alone is read again."""
    assert set(looked_through(lambda: [names() for _ in range(10)]).values()) == {1}
    write(output / "deep" / "e.attention.safetensors")
    age(output, 1)
    assert looked_through(lambda: [names() for _ in range(10)]) == {str(output / "deep"): 1}
    assert names() == [f"{name}.attention.safetensors [output]" for name in ("a", "deep/b", "deep/e")]


def test_a_file_written_at_once_after_a_look_is_found(output):
    """Clocks of file systems are coarse: a folder that has just changed may change within the same tick."""
    os.utime(output)
    before = os.stat(output).st_mtime_ns
    names()
    write(output / "f.attention.safetensors")
    os.utime(output, ns=(before, before))
    assert "f.attention.safetensors [output]" in names()


def test_a_folder_in_the_place_of_another_is_another(output):
    """Copied folders may have the dates of each other."""
    write(output / "other" / "g.attention.safetensors")
    os.utime(output / "other", ns=(LONG_AGO, LONG_AGO))
    names()
    (output / "deep").rename(output / "gone")
    (output / "other").rename(output / "deep")
    assert "deep/g.attention.safetensors [output]" in names()


def test_the_list_is_right_after_any_changes(output):
    """The same as a plain walk, whatever files and folders come and go between two looks."""
    dice = random.Random(3)
    for second in range(1, 120):
        folders = [output, *(path for path in output.rglob("*") if path.is_dir())]
        old = dice.choice(list(output.rglob("*")) or [output / "none"])
        new = dice.choice(folders) / f"{dice.randrange(4)}{dice.choice(['', '.attention.safetensors'])}"
        match dice.randrange(4):
            case 0 if not new.exists():
                new.mkdir()
            case 1 if not new.exists():
                new.touch()
            case 2 if old.exists() and not new.exists() and old not in new.parents:
                old.rename(new)
            case 3 if old.is_file():
                old.unlink()
            case 3 if old.is_dir() and dice.random() < 0.3:
                shutil.rmtree(old)
        age(output, second)
        walked = sorted(
            path.relative_to(output) for path in output.rglob("*.attention.safetensors") if path.is_file()
        )
        assert MAPS.saved() == [f"{path.as_posix()} [output]" for path in walked]


def test_a_folder_that_cannot_be_read_is_passed_over(output):
    """A link that leads nowhere, and an output folder that is not there yet, are no errors."""
    (output / "away").symlink_to(output / "nothing")
    assert len(names()) == 2
    shutil.rmtree(output)
    assert names() == []
