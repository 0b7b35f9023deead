"""Pictures of the help on a real server: those that need no sampling."""

import functools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from help_options import name_of
from help_table import PICTURES
from host_server import Server
from run_help_pictures import make, run_given, waiting


def test_a_picture_is_made(server: Server, tmp_path: Path) -> None:
    """It shows something, and is not waiting any more."""
    probe = next(picture for picture in PICTURES if name_of(picture) == "AttentionProbe")
    make([probe], tmp_path, functools.partial(run_given, server), pytest.fail)
    assert probe not in waiting(tmp_path)
    assert np.asarray(Image.open(tmp_path / probe.file)).std() > 5


def test_other_values_make_other_pictures(server: Server) -> None:
    """The viewer shows three words, or components of the same maps in one picture."""
    name, mode = "03 Look into a picture of your own", ("AttentionMapViewer", "mode", "components")
    words, components = (run_given(server, name, given).batches()[0] for given in ((), (mode,)))
    assert (len(words.pictures), len(components.pictures)) == (3, 1)
