"""The page of the talk: what is missing or failed is told, and what is made stays."""

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import run_talk
from demo_pictures import Result
from failures import Failure
from host_client import Picture
from run_talk import make, path_of, waiting
from talk_figures import FIGURES
from talk_options import parser
from talk_page import FOLDER, page, picture_of, read_record

STYLE, LOOK = "01 One style for a whole batch", "02 Where does the model look"
TWO = [figure for figure in FIGURES if figure.workflow in (STYLE, LOOK)]


def result(workflow: dict[str, Any]) -> Result:
    """A red picture from each saving node."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "PNG")
    savers = [str(node["id"]) for node in workflow["nodes"] if node["type"] == "SaveImage"]
    prompt = {node: {"class_type": "SaveImage", "_meta": {"title": node}} for node in savers}
    return Result(
        prompt, [Picture(x, "a.png", "", "output") for x in savers], [file.getvalue()] * len(savers)
    )


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Where a page goes."""
    (tmp_path / FOLDER).mkdir()
    return tmp_path


def test_every_workflow_is_there() -> None:
    """Figures name files that exist; what has no workflow says what it needs."""
    for figure in FIGURES:
        assert figure.workflow or figure.remark
        assert not figure.workflow or path_of(figure.workflow).is_file()


def test_what_is_made_stays_and_is_on_the_page(output: Path) -> None:
    """Each workflow runs once; another number of steps makes it anew."""
    assert waiting(TWO, output, quick=True) == [LOOK, STYLE]
    make(TWO, output, True, result)
    assert waiting(TWO, output, quick=True) == []
    assert waiting(TWO, output, quick=False) == [LOOK, STYLE]
    written = page(FIGURES, read_record(output), output)
    for number, figure in enumerate(FIGURES, 1):
        assert f"## {number}. {figure.title}" in written
        assert (f"(<{FOLDER}/{picture_of(number, figure)}>)" in written) == (figure in TWO)
    assert (
        "seed 1, 0 s" in written and "has not been run yet" in written and "Missing: no workflow" in written
    )


def test_a_run_that_was_stopped_goes_on(output: Path) -> None:
    """What was finished before is not made again."""
    made: list[Any] = []

    def stopped(workflow: dict[str, Any]) -> Result:
        if made:
            raise KeyboardInterrupt
        made.append(workflow)
        return result(workflow)

    with pytest.raises(KeyboardInterrupt):
        make(TWO, output, True, stopped)
    assert waiting(TWO, output, quick=True) == [STYLE]


def test_a_workflow_that_fails_is_told_and_the_rest_made(output: Path) -> None:
    """The page has the reason; the next run tries again."""

    def failing(workflow: dict[str, Any]) -> Result:
        if any(node["type"] == "StyleAlignedBatch" for node in workflow["nodes"]):
            raise Failure("the server hung up", "see its log")
        return result(workflow)

    make(TWO, output, True, failing)
    assert "`01 One style for a whole batch.json` did not run: the server hung up" in page(
        FIGURES, read_record(output), output
    )
    assert waiting(TWO, output, quick=True) == [STYLE]


def test_a_damaged_record_is_none(output: Path) -> None:
    """Everything is made anew."""
    (output / FOLDER / run_talk.RECORD).write_text("{")
    assert waiting(TWO, output, quick=True) == [LOOK, STYLE]


def test_only_known_workflows_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """And the message lists them."""
    with pytest.raises(SystemExit):
        parser().parse_args(["--only", "no_such"])
    assert LOOK in capsys.readouterr().err
