"""The web UI in other languages: our nodes, their inputs, the menu and the viewer speak them."""

from collections.abc import Iterator
from typing import Any

import pytest

from locale_texts import viewer_texts
from translations import LANGUAGES, read

from .browser import EXAMPLE, VIEWER, Ui, workflow

SPOKEN = ".amv [title], .amv [aria-label], .amv-message, .amv-label, .amv option, .amv button"
SAID = """selector => [...document.querySelectorAll(selector)].flatMap(element =>
    [element.title, element.getAttribute("aria-label"), element.textContent].filter(Boolean))"""
NODE = """type => {
    const node = app.graph.nodes.find(node => node.type === type);
    const { category, description } = node.constructor.nodeData;
    const labels = node.widgets.map(widget => [widget.name, widget.label]);
    return { title: node.title, category, description, labels: Object.fromEntries(labels) };
}"""


@pytest.fixture
def foreign(own: Ui) -> Iterator[Ui]:
    """The web UI; afterwards it speaks English again."""
    yield own
    own.set("Comfy.Locale", "en")


def speak(ui: Ui, language: str) -> None:
    """Choose a language as the settings do; the web UI loads its words and draws the nodes anew."""
    ui.set("Comfy.Locale", language)
    ui.page.wait_for_function(
        "([type, name]) => app.graph.nodes.find(node => node.type === type)"
        "?.constructor.nodeData.display_name === name",
        arg=[VIEWER, read(language)["Attention Map Viewer"]],
    )
    ui.page.wait_for_timeout(500)


@pytest.mark.parametrize("language", ["ja", "ar"])
def test_node_and_viewer_speak(language: str, foreign: Ui) -> None:
    """Name, description, place in the menu and inputs of a node, and all that its viewer says."""
    known: dict[str, str] = read(language)
    foreign.show(workflow(EXAMPLE), "vue")
    speak(foreign, language)
    foreign.look()
    node: dict[str, Any] = foreign.page.evaluate(NODE, VIEWER)
    assert node["category"] == f"{known['attention control']}/{known['inspect']}"
    assert node["description"] in known.values() and node["title"] == known["Attention Map Viewer"]
    assert {name: known[name] for name in ("mode", "words", "threshold")}.items() <= node["labels"].items()
    said = foreign.page.evaluate(SAID, SPOKEN)
    english = set(viewer_texts().values()) - {"PNG"}
    assert known["Opacity of the map"] in said and known["Use for outputs"] in said
    assert [text for text in said if text in english] == []


def test_server_has_all_languages(own: Ui) -> None:
    """It gives the web UI every language, with the viewer's words in each."""
    served = own.page.evaluate("async () => await (await fetch('/i18n')).json()")
    assert {"en", *LANGUAGES} <= served.keys()
    assert {language: len(served[language]["attentionMapViewer"]) for language in LANGUAGES} == dict.fromkeys(
        LANGUAGES, len(viewer_texts())
    )
