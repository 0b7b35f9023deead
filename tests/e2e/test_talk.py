"""Figures of the talk in a quick form, on a real server."""

from pathlib import Path

import numpy as np
from PIL import Image

from host_server import Server
from run_talk import make, runner, waiting
from talk_figures import FIGURES
from talk_page import FOLDER, page, picture_of, read_record

CHOSEN = ("04 Segment a picture and repaint one subject", "25 Why a prompt failed")


def test_figures_are_made_and_stand_on_the_page(server: Server, tmp_path: Path) -> None:
    """Each is a sheet that shows something; nothing is left to do then."""
    (tmp_path / FOLDER).mkdir()
    figures = [figure for figure in FIGURES if figure.workflow in CHOSEN]
    make(figures, tmp_path, True, runner(server, quick=True))
    assert waiting(figures, tmp_path, quick=True) == []
    written = page(FIGURES, read_record(tmp_path), tmp_path)
    for number, figure in enumerate(FIGURES, 1):
        if figure in figures:
            name = picture_of(number, figure)
            assert f"(<{FOLDER}/{name}>)" in written
            assert np.asarray(Image.open(tmp_path / FOLDER / name)).std() > 5
