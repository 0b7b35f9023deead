"""The pictures of the help pages and of the README: none is forgotten, and each shows what its entry says."""

import io
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from contact_sheet import Batch
from demo_pictures import Result
from failures import Failure
from help_options import parser
from help_parts import batch_of, key, set_inputs
from help_table import PICTURES, Given, HelpPicture, Part
from host_client import Picture
from pack import ROOT
from picture_rows import LINE, picture_rows
from run_help_pictures import RECORD, make, waiting
from talk_workflows import facts_of, path_of
from workflow_file import read_workflow

PARTS = [part for picture in PICTURES for row in picture.rows for part in row]
COLOURS = ("red", "lime", "blue") * 3
RED, LIME, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def result(*titles: str) -> Result:
    """Nine pictures from each of the nodes: red, green, blue, and so on."""
    prompt = {title: {"class_type": "SaveImage", "_meta": {"title": title}} for title in titles}
    pictures = [Picture(title, f"{colour}.png", "", "output") for title in titles for colour in COLOURS]
    return Result(prompt, pictures, [png(colour) for _ in titles for colour in COLOURS])


def png(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), colour).save(file, "PNG")
    return file.getvalue()


def run(name: str, given: Given) -> Result:
    """A workflow all of whose nodes save these."""
    return result(*facts_of(read_workflow(path_of(name)))["parts"])


def script(folder: Path, name: str) -> Path:
    """A script that makes its pictures."""
    for picture in PICTURES:
        if picture.script == name:
            (folder / Path(picture.file).name).write_bytes(png("red"))
    return folder


def test_every_picture_has_its_entry() -> None:
    """Those of the help pages and of the README, and no other; each is there, and no wider than a page."""
    shown = re.findall(r"!\[.*\]\((.*)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    helping = [path.relative_to(ROOT).as_posix() for path in (ROOT / "web" / "docs").glob("*.jpg")]
    files = [picture.file for picture in PICTURES]
    assert sorted(files) == sorted({*shown, *helping})
    assert [file for file in files if Image.open(ROOT / file).width > 1400] == []


def test_entries_name_what_there_is() -> None:
    """Workflows, the titles of nodes that save pictures, inputs' nodes, and scripts."""
    for part in PARTS:
        workflow = read_workflow(path_of(part.workflow))
        assert part.saved in facts_of(workflow)["parts"]
        kinds = {node["type"] for node in workflow["nodes"]}
        assert {kind for kind, _, _ in part.given} <= kinds
    assert all(bool(picture.rows) != bool(picture.script) for picture in PICTURES)
    assert all((ROOT / picture.script).is_file() for picture in PICTURES if picture.script)


def test_rows_lie_below_each_other_and_batches_beside() -> None:
    """All pictures have one height, with titles above those that have one, and white between them."""
    one, wide = (Image.new("RGB", size, "red") for size in ((32, 32), (64, 16)))
    two = Batch("", [Image.new("RGB", (8, 8), "lime"), Image.new("RGB", (8, 8), "blue")])
    sheet = picture_rows([[Batch("Title", [one]), two], [Batch("", [wide])]], 50)
    top, below = LINE + 25, LINE + 54 + 25
    assert sheet.size == (200, LINE + 50 + 4 + 50)
    at = [(25, top), (52, top), (79, top), (133, top), (180, top), (100, below), (190, below)]
    assert [sheet.getpixel(place) for place in at] == [RED, WHITE, LIME, BLUE, WHITE, RED, RED]
    assert min(low for low, _ in sheet.crop((0, 0, 50, LINE)).getextrema()) < 100  # the title's letters


def test_a_part_shows_the_pictures_of_its_node() -> None:
    """All of them, or those that it names, under its title or the node's."""
    made = result("first", "second")
    assert batch_of(Part("x", "second"), made).title == "second"
    some = batch_of(Part("x", "first", "Other", (2, 0)), made)
    assert some.title == "Other"
    assert [picture.getpixel((0, 0)) for picture in some.pictures] == [BLUE, RED]
    with pytest.raises(Failure, match="no node 'third'"):
        batch_of(Part("x", "third"), made)


def test_other_values_reach_the_inputs() -> None:
    """Of every node of the kind; one that is not there is an error."""
    prompt = {"1": {"class_type": "A", "inputs": {"stride": 8}}, "2": {"class_type": "B", "inputs": {}}}
    set_inputs(prompt, (("A", "stride", 64),))
    assert prompt["1"]["inputs"] == {"stride": 64}
    with pytest.raises(Failure, match="no node B has an input 'stride'"):
        set_inputs(prompt, (("B", "stride", 64),))


def test_a_run_that_was_stopped_goes_on(tmp_path: Path) -> None:
    """What was finished before is not made again; what is gone or was made otherwise is."""
    (tmp_path / "made").mkdir()

    def made(name: str) -> Path:
        return script(tmp_path / "made", name)

    def stopped(name: str, given: Given) -> Result:
        if "windows" in str(given) or name.startswith("14"):
            raise KeyboardInterrupt
        return run(name, given)

    with pytest.raises(KeyboardInterrupt):
        make(waiting(tmp_path), tmp_path, stopped, made)
    left = waiting(tmp_path)
    assert left and left[0].file == "web/docs/MultiDiffusion.jpg"
    make(left, tmp_path, run, made)
    assert waiting(tmp_path) == []
    assert not list(tmp_path.rglob("*.partial"))
    record = json.loads((tmp_path / RECORD).read_text())
    assert record.keys() == {picture.file for picture in PICTURES}
    (tmp_path / PICTURES[0].file).unlink()
    record[PICTURES[1].file]["key"] = "of another model"
    (tmp_path / RECORD).write_text(json.dumps(record))
    assert waiting(tmp_path) == list(PICTURES[:2])


def test_a_picture_hangs_on_its_entry() -> None:
    """Another size or another input is another picture."""
    part = PARTS[0]
    keys = {
        key(HelpPicture("a.jpg", 8, ((part,),))),
        key(HelpPicture("a.jpg", 9, ((part,),))),
        key(HelpPicture("a.jpg", 8, ((Part(part.workflow, part.saved, given=(("A", "b", 1),)),),))),
    }
    assert len(keys) == 3


def test_only_known_pictures_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """And the message lists them."""
    with pytest.raises(SystemExit):
        parser().parse_args(["no_such"])
    assert "SelfSegment" in capsys.readouterr().err
