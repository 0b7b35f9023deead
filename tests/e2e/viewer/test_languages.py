"""The web UI in other languages: our nodes, their inputs, the menu and the viewer speak them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from host_server import Server
from locale_texts import widget_texts
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
def language(browser: Any, server: Server) -> Iterator[str]:
    """The language of the settings, for pages that open now; afterwards English again."""
    context = browser.new_context()
    address = f"{server.address}/settings/Comfy.Locale"
    context.request.post(address, data=json.dumps("ja"))
    yield "ja"
    context.request.post(address, data=json.dumps("en"))
    context.close()


def test_node_and_viewer_speak(language: str, browser: Any, server: Server) -> None:
    """Name, description, place in the menu and inputs of a node, and all that its viewer says."""
    known: dict[str, str] = read(language)
    ui = Ui.open(browser, server.address)
    ui.show(workflow(EXAMPLE), "vue")
    ui.page.locator(".amv-message").wait_for()
    ui.picture(f"language-{language}")
    node: dict[str, Any] = ui.page.evaluate(NODE, VIEWER)
    said = ui.page.evaluate(SAID, SPOKEN)
    served = ui.page.evaluate("async () => await (await fetch('/i18n')).json()")
    ui.page.context.close()
    assert node["category"] == f"{known['attention control']}/{known['inspect']}"
    assert node["title"] == known["Attention Map Viewer"]
    assert node["description"] in known.values()
    assert {name: known[name] for name in ("mode", "words", "threshold")}.items() <= node["labels"].items()
    assert {known["Opacity of the map"], known["Use for outputs"]} <= set(said)
    assert [text for text in said if text in widget_texts("attentionMapViewer").values()] == []
    assert {"en", *LANGUAGES} <= served.keys()
