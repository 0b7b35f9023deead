"""Every node is registered, and told of wherever a user looks for it."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from pack import ROOT
from translations import LANGUAGES

from ..node_table import documented_nodes

FILES = sorted((ROOT / "nodes").glob("*/*_node.py"))
HELP = ROOT / "web" / "docs"


def ids() -> list[str]:
    """The id of each node, one a file."""
    found = [re.findall(r'node_id="(\w+)"', file.read_text()) for file in FILES]
    assert all(len(each) == 1 for each in found) and found
    return [name for (name,) in found]


def test_every_node_is_registered() -> None:
    """`nodes/__init__.py` imports each `*_node.py`, and returns what it imports."""
    source = (ROOT / "nodes" / "__init__.py").read_text()
    imported = dict(re.findall(r"from \.(\S+) import (\w+)", source))
    assert sorted(imported) == [f"{file.parent.name}.{file.stem}" for file in FILES]
    assert sorted(imported.values()) == sorted(re.findall(r"^ {8}(\w+),$", source, re.MULTILINE))


def test_every_node_lies_where_the_menu_has_it() -> None:
    """The folder of its file is the last word of its category."""
    menu = {file: re.findall(r'category="attention control/(\w+)"', file.read_text()) for file in FILES}
    assert menu == {file: [file.parent.name] for file in FILES}


def test_every_node_that_reports_shows_it() -> None:
    """Who hands its id on, for the report of a run, has declared it."""
    texts = {file.name: file.read_text() for file in FILES}
    reporting = {name for name, text in texts.items() if "cls.hidden.unique_id" in text}
    installing = {name for name, text in texts.items() if "import install\n" in text}
    assert installing <= reporting
    assert {name for name, text in texts.items() if "**shows_report()" in text} == reporting


def test_every_node_has_its_row() -> None:
    """The README's table has one row for each node, and no other."""
    assert Counter(documented_nodes()) == Counter(ids())


def test_every_node_has_its_help_page() -> None:
    """`web/docs/ID.md`, which the web UI shows; its pictures are there."""
    assert sorted(path.stem for path in HELP.glob("*.md")) == sorted(ids())
    pictures = [
        name for page in HELP.glob("*.md") for name in re.findall(r"!\[.*\]\((.*)\)", page.read_text())
    ]
    assert [name for name in pictures if not (HELP / name).exists()] == []


def test_help_pages_of_other_languages_keep_up() -> None:
    """`web/docs/ID/LANGUAGE.md`: of every node, with the pictures and the inputs of the English page."""
    pages = sorted(HELP.glob("*/*.md"))
    assert {"zh", "ja"} <= set(LANGUAGES)
    assert {page.relative_to(HELP).as_posix() for page in pages} == {
        f"{name}/{language}.md" for name in ids() for language in ("zh", "ja")
    }
    for page in pages:
        text = page.read_text(encoding="utf-8")
        english = (HELP / f"{page.parent.name}.md").read_text(encoding="utf-8")
        assert re.findall(r"!\[.*\]\((.*)\)", text) == re.findall(r"!\[.*\]\((.*)\)", english), page
        assert rows(text) == rows(english), page
        assert len(re.findall(r"^## ", text, re.MULTILINE)) == len(re.findall(r"^## ", english, re.MULTILINE))


def rows(page: str) -> list[list[str]]:
    """The names in backticks at the head of each row of the tables."""
    return [
        re.findall(r"`(\w+)`", line.split("|")[1]) for line in page.splitlines() if line.startswith("| `")
    ]


def test_every_node_is_in_the_changelog() -> None:
    """By its id."""
    told = set(re.findall(r"`(\w+)`", (ROOT / "CHANGELOG.md").read_text()))
    assert set(ids()) - told == set()


@pytest.mark.parametrize("folder", ["example_workflows", "example_workflows/talk"])
def test_every_workflow_has_its_thumbnail(folder: str) -> None:
    """A square picture of the same name, as the template browser shows them."""
    where: Path = ROOT / folder
    workflows = {path.stem for path in where.glob("*.json")}
    thumbnails = {path.stem: Image.open(path).size for path in where.glob("*.jpg")}
    assert workflows == thumbnails.keys()
    assert {name for name, (width, height) in thumbnails.items() if width != height} == set()


def test_every_node_stands_in_an_example() -> None:
    """Where one can see it at work, with what belongs before and behind it."""
    workflows = (json.loads(path.read_text()) for path in (ROOT / "example_workflows").glob("*.json"))
    shown = {node["type"] for workflow in workflows for node in workflow["nodes"]}
    assert set(ids()) - shown == set()


def test_examples_save_in_one_folder_and_under_names_of_their_own() -> None:
    """So that what a user tries lies together, and no example's pictures among those of another."""
    names: list[str] = []
    for path in (ROOT / "example_workflows").glob("**/*.json"):
        nodes = json.loads(path.read_text())["nodes"]
        names += [node["widgets_values"][0] for node in nodes if node["type"] == "SaveImage"]
    assert all(name.startswith("attention_control/") for name in names)
    assert len(names) == len(set(names))


def test_notes_have_no_code() -> None:
    """Nodes 2.0 writes it in blue, which nobody can read on a note."""
    for path in (ROOT / "example_workflows").glob("**/*.json"):
        for node in json.loads(path.read_text())["nodes"]:
            assert node["type"] != "MarkdownNote" or "`" not in node["widgets_values"][0], path.name
