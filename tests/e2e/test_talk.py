"""Figures of the talk in a quick form, on a real server."""

from pathlib import Path

import numpy as np
from PIL import Image

from host_server import Server
from run_talk import make, runner, waiting
from talk_figures import FIGURES
from talk_page import FOLDER, page, picture_of, read_record

from .runs import EXAMPLES

OWN = [figure for figure in FIGURES if figure.workflow not in EXAMPLES]


def test_figures_are_made_and_stand_on_the_page(server: Server, tmp_path: Path) -> None:
    """Those that are no examples: each is a sheet that shows something; nothing is left to do then. What
    nodes say in words is there too."""
    (tmp_path / FOLDER).mkdir()
    make(OWN, tmp_path, True, runner(server, quick=True))
    assert waiting(OWN, tmp_path, quick=True) == []
    made = read_record(tmp_path)
    assert {name: one["failed"] for name, one in made.items() if "failed" in one} == {}
    written = page(FIGURES, made, tmp_path)
    assert "<summary>What Prompt Diagnosis says</summary>" in written and "Image 1" in written
    for number, figure in enumerate(FIGURES, 1):
        if figure in OWN:
            name = picture_of(number, figure)
            assert f"(<{FOLDER}/{name}>)" in written
            assert np.asarray(Image.open(tmp_path / FOLDER / name)).std() > 5
