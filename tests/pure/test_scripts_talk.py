"""The page of the talk: what is missing or failed is told, and what is made stays."""

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import run_talk
import talk_workflows
from demo_pictures import Result
from failures import Failure
from host_client import Picture
from run_talk import make, path_of, renumber, waiting
from talk_figures import FIGURES, REMARKS_ON
from talk_options import parser
from talk_page import FOLDER, NOT_SEEN, page, picture_of, read_record
from talk_workflows import companions_of, facts_of
from workflow_file import read_workflow

STYLE, LOOK = "01 One style for a whole batch", "02 Where does the model look"
TWO = [figure for figure in FIGURES if figure.workflow in (STYLE, LOOK)]


def result(workflow: dict[str, Any]) -> Result:
    """A red picture from each saving node."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "PNG")
    savers = [str(node["id"]) for node in workflow["nodes"] if node["type"] == "SaveImage"]
    prompt = {node: {"class_type": "SaveImage", "_meta": {"title": node}} for node in savers}
    prompt |= {"text": {"class_type": "PreviewAny", "_meta": {"title": "What it says"}}}
    pictures = [Picture(x, "a.png", "", "output") for x in savers]
    texts = {"text": "a cat", savers[0]: "no text for people"}
    return Result(prompt, pictures, [file.getvalue()] * len(savers), texts)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Where a page goes."""
    (tmp_path / FOLDER).mkdir()
    return tmp_path


def test_every_workflow_is_there() -> None:
    """Figures name files that exist, each its own; those of the talk alone have figures and titles."""
    assert len({Path(figure.workflow).name for figure in FIGURES}) == len(FIGURES)
    assert all(path_of(figure.workflow).is_file() for figure in FIGURES)
    own = {f"talk/{path.stem}" for path in path_of("talk/x").parent.glob("*.json")}
    assert own and own <= {figure.workflow for figure in FIGURES}
    assert all(facts_of(read_workflow(path_of(name)))["parts"] for name in own)


def test_the_page_is_that_of_the_record() -> None:
    """`python scripts/talk.py` writes both: by the workflows, the model and the remarks of now."""
    docs = path_of("x").parents[1] / "docs"
    names = [picture_of(number, figure) for number, figure in enumerate(FIGURES, 1)]
    assert waiting(FIGURES, docs, quick=False) == []
    assert sorted(file.name for file in (docs / FOLDER).glob("*.jpg")) == names
    assert (docs / "talk.md").read_text(encoding="utf-8") == page(FIGURES, read_record(docs), docs)


def test_what_a_workflow_says_of_itself() -> None:
    """Seeds of whatever draws, prompts a line each without boxes, titles of the pictures in their order."""
    facts = facts_of(read_workflow(path_of("12 One picture in the appearance of another")))
    assert facts["seeds"] == [0, 1] and facts["prompts"] == ["a fox on the street", "a cat in a forest"]
    guided = facts_of(read_workflow(path_of("talk/Where layout guidance fails")))
    assert guided["prompts"] == ["three ginger kittens and two gray kittens on the stairs"]
    assert guided["parts"] == ["As usual", "Layout Guidance", "Leakage under layout guidance"]


def test_another_companion_makes_its_figure_anew(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A figure hangs on the files that its workflow loads, as on the model."""
    figure = next(figure for figure in FIGURES if figure.title == "With textual inversion")
    assert companions_of(read_workflow(path_of(figure.workflow))) == ["embeddings/demo_toy.safetensors"]
    monkeypatch.setattr(talk_workflows, "COMPANIONS", output)
    (output / "embeddings").mkdir()
    for content in (b"first", b"second"):
        (output / "embeddings" / "demo_toy.safetensors").write_bytes(content)
        assert waiting([figure], output, quick=True) == [figure.workflow]
        make([figure], output, True, result)
        assert waiting([figure], output, quick=True) == []


def test_remarks_are_about_one_model(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was seen on the pictures of another model is not said of these."""
    figure = next(figure for figure in FIGURES if figure.remark)
    for model, seen in ((REMARKS_ON, True), ("another", False)):
        monkeypatch.setattr(run_talk, "model_now", lambda model=model: model)
        (output / FOLDER / run_talk.RECORD).unlink(missing_ok=True)
        make([figure], output, True, result)
        written = page(FIGURES, read_record(output), output)
        assert (figure.remark in written, NOT_SEEN in written) == (seen, not seen)


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
        "seed 1, 0 s" in written
        and "has not been run yet" in written
        and "Prompts: a cat; a rocket" in written
    )
    assert "no text for people" not in written


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
    assert "did not run: the server hung up" in page(FIGURES, read_record(output), output)
    assert waiting(TWO, output, quick=True) == [STYLE]


def test_files_follow_their_figures(output: Path) -> None:
    """A figure before them gives others new numbers, and what was made stays; files of no figure go."""
    make(TWO, output, True, result)
    names = [picture_of(number, x) for number, x in enumerate(FIGURES, 1) if x in TWO]
    folder = output / FOLDER
    for number, name in enumerate(names, 90):
        (folder / name).rename(folder / f"{number}_{name.partition('_')[2]}")
    (folder / f"97_{STYLE}.jpg").write_bytes(b"a second one")
    (folder / "98_What was a figure once.jpg").write_bytes(b"gone")
    assert waiting(TWO, output, quick=True) == [LOOK, STYLE]
    renumber(output)
    assert sorted(file.name for file in folder.glob("*.jpg")) == sorted(names)
    assert waiting(TWO, output, quick=True) == []
    renumber(output)
    assert sorted(file.name for file in folder.glob("*.jpg")) == sorted(names)


def test_a_damaged_record_is_none(output: Path) -> None:
    """Everything is made anew."""
    (output / FOLDER / run_talk.RECORD).write_text("{")
    assert waiting(TWO, output, quick=True) == [LOOK, STYLE]


def test_only_known_workflows_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """And the message lists them."""
    with pytest.raises(SystemExit):
        parser().parse_args(["--only", "no_such"])
    assert LOOK in capsys.readouterr().err
