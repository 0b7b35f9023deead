"""What comes when, and what stays: files, reload, tabs, several viewers."""

import copy
from typing import Any

import pytest

from host_server import Server

from .browser import RENDERERS, Ui, brief


def test_files_come_when_they_are_looked_at(browser: Any, server: Server) -> None:
    """At rest the picture alone is fetched; a word brings one atlas, a second word none, a patch one more."""
    ui = Ui.open(browser, server.address, brief(), "classic")
    ui.run()
    sent = ui.payload()["images"][0]

    def atlases() -> list[str]:
        ours = [entry["file"]["filename"] for entry in (*sent["cross"], *sent["self"])]
        ui.viewer.settle()
        return [name for name in ours for url in ui.asked if name in url]

    ui.viewer.leave()
    assert atlases() == []
    ui.viewer.chip("cat").hover()
    assert atlases() == [sent["cross"][0]["file"]["filename"]]
    ui.viewer.chip("dog").hover()
    assert len(atlases()) == 1
    ui.viewer.point_at(0.5, 0.5)
    assert len(atlases()) == 2
    ui.page.context.close()


@pytest.mark.parametrize("name", RENDERERS)
def test_reload_says_that_maps_are_not_saved(name: str, browser: Any, server: Server) -> None:
    """A saved workflow is loaded again: a kind word instead of a picture, and a run brings the maps back."""
    ui = Ui.open(browser, server.address, brief(), name)
    assert "Run the workflow" in ui.viewer.text("message")
    ui.run()
    ui.viewer.panel.get_by_label("Opacity").fill("0.5")
    saved = ui.page.evaluate("app.graph.serialize()")
    ui.page.reload()
    ui.wait_until_ready()
    ui.page.evaluate("workflow => app.loadGraphData(workflow)", saved)
    ui.look()
    assert "not saved with a workflow" in ui.viewer.text("message")
    ui.picture(f"{name}-reloaded")
    ui.run()
    assert ui.viewer.panel.get_by_label("Opacity").input_value() == "0.5"
    ui.page.context.close()


def test_tab_brings_the_maps_back(browser: Any, server: Server) -> None:
    """Another workflow's tab and back: the viewer shows what it showed."""
    ui = Ui.open(browser, server.address, brief(), "classic")
    ui.run()
    tabs = ui.page.locator(".workflow-tabs .p-togglebutton")
    ui.page.evaluate("app.extensionManager.command.execute('Comfy.NewBlankWorkflow')")
    ui.page.wait_for_timeout(1500)
    assert ui.page.locator(".amv:visible").count() == 0
    tabs.nth(tabs.count() - 2).click()
    ui.viewer.chips.first.wait_for(timeout=20_000)
    assert ui.viewer.pixels()[..., 3].any()
    ui.page.context.close()


@pytest.mark.parametrize("name", RENDERERS)
def test_two_viewers_stay_apart(name: str, browser: Any, server: Server) -> None:
    """What is pinned in one does not show in the other."""
    two = brief()
    (first,) = (node for node in two["nodes"] if node["type"] == "AttentionMapViewer")
    second = copy.deepcopy(first)
    second["id"], second["pos"] = 99, [first["pos"][0] + first["size"][0] + 60, first["pos"][1]]
    for output in second["outputs"]:
        output["links"] = []
    for socket in second["inputs"]:
        if socket["link"] is not None:
            link = next(link for link in two["links"] if link[0] == socket["link"])
            socket["link"] = two["last_link_id"] = two["last_link_id"] + 1
            two["links"].append([socket["link"], *link[1:3], 99, *link[4:]])
    two["nodes"].append(second)
    ui = Ui.open(browser, server.address, two, name)
    ui.run()
    one, other = ui.viewers()
    one.chip("cat").click()
    other.chip("dog").click()
    other.slider("time").press("ArrowRight")
    other.leave()
    assert (one.pressed(), other.pressed()) == (["cat"], ["dog"])
    assert one.text("place") != other.text("place")
    ui.picture(f"{name}-two-viewers")
    ui.page.context.close()
