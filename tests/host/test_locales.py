"""What the web UI shows of us in nine languages is made from the schemas, and nothing is missing."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from attention_control.nodes import node_classes

from locale_texts import Tree, leaves, locale_files, rewritten, texts_of
from translations import LANGUAGES, LOCALES, missing, read, stale, written

AGAIN = "run `python scripts/locales.py`, with --missing to see what to translate"


@pytest.fixture(scope="module")
def infos() -> dict[str, dict[str, Any]]:
    """Each node as the host tells the web UI of it."""
    return {node.GET_SCHEMA().node_id: node.GET_NODE_INFO_V1() for node in node_classes()}


@pytest.fixture(scope="module")
def files(infos: dict[str, dict[str, Any]]) -> dict[str, Tree]:
    """The English content of each file."""
    return locale_files(infos)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated(language: str, files: dict[str, Tree]) -> None:
    """No string of a node or of a widget is missing, none is stale."""
    texts, known = texts_of(files), read(language)
    assert (missing(texts, known), stale(texts, known)) == ([], {}), AGAIN


def test_files_are_made_from_the_schemas(files: dict[str, Tree]) -> None:
    """The folder holds what the script would write, and nothing else."""
    held = {
        path.relative_to(LOCALES).as_posix(): path.read_text(encoding="utf-8")
        for path in LOCALES.rglob("*")
        if path.is_file()
    }
    assert held == written(files), AGAIN


@pytest.mark.parametrize("language", LANGUAGES)
def test_choices_keep_their_values(language: str, infos: dict[str, dict[str, Any]]) -> None:
    """A tooltip that explains choices names each as it is shown: the host translates no values."""
    known = read(language)
    told = [(option, tip) for info in infos.values() for option, tip in explained(info)]
    assert len(told) > 20
    lost = [(option, tip) for option, tip in told if not re.search(rf"{option} ?[:\uff1a]", known[tip])]
    assert lost == []


def explained(info: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The choices that a tooltip explains, "reference: every image ...", each with that tooltip."""
    for part in ("required", "optional"):
        for _, *rest in info["input"].get(part, {}).values():
            tip = rest[0].get("tooltip", "") if rest else ""
            for option in rest[0].get("options", []) if rest else []:
                if f"{option}: " in tip:
                    yield option, tip


def test_syntax_of_names_is_escaped() -> None:
    """Names and descriptions go through the web UI's compiler of messages, tooltips do not."""
    tree: Tree = {"description": "a {basket} | @home", "tooltip": "a {basket}"}
    kept = rewritten(tree, lambda text: text)
    assert kept == {"description": "a {'{'}basket{'}'} {'|'} {'@'}home", "tooltip": "a {basket}"}
    assert dict(leaves(kept))[("tooltip",)] == "a {basket}"
