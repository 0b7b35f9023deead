"""Several pictures: one after the other, correspondence between them, components."""

import numpy as np
import pytest

from .browser import CELLS, Ui, brief


@pytest.fixture(scope="module")
def pair(own: Ui) -> Ui:
    """Two pictures in a batch, with queries and keys recorded."""
    two = brief()
    widgets = {node["type"]: node["widgets_values"] for node in two["nodes"]}
    widgets["EmptyLatentImage"][2] = 2
    widgets["AttentionRecorder"][4] = True
    widgets["AttentionMapViewer"][0] = "correspondence"
    own.show(two, "classic")
    own.run()
    return own


def test_point_finds_itself_in_the_other_picture(pair: Ui) -> None:
    """Beside the picture stands the other one, white under a gray map where that token's row is highest."""
    viewer, sent = pair.viewer, pair.payload()
    assert viewer.panel.get_by_label("View").input_value() == "match"
    assert viewer.text("title") == "what this patch matches"
    pair.picture("classic-other-picture")
    entries = sent["images"][0]["correspondence"]
    finest = [x for x in entries if x["grid"] == [CELLS, CELLS] and x["slice"] is None and x["other"] == 1]
    row = pair.file(finest[-1]["file"])[CELLS // 2 * CELLS + CELLS // 2].reshape(CELLS, CELLS)
    viewer.panel.get_by_label("Colour map").select_option("gray")
    viewer.panel.get_by_label("Opacity").fill("1")
    shown = viewer.pixels()[..., :3].sum(-1)
    side = (shown.shape[1] - shown.shape[1] // 2) // CELLS * CELLS  # beside each other, the gap is small
    pane = shown[shown.shape[0] // 2 - side // 2 :][:side, -side:].reshape(CELLS, side // CELLS, CELLS, -1)
    bright = pane.mean((1, 3))
    assert row[np.unravel_index(bright.argmax(), bright.shape)] >= 0.8 * row.max()


def test_pictures_of_the_batch_in_turn(pair: Ui) -> None:
    """The arrows go round; each picture comes with its own maps."""
    viewer = pair.viewer
    viewer.panel.get_by_label("View").select_option("single")
    viewer.chip("cat").click()
    viewer.leave()
    first = viewer.pixels()
    forward = viewer.panel.get_by_role("button", name="Next")
    forward.click()
    assert "2 / 2" in viewer.text("batch")
    second = viewer.pixels()
    forward.click()
    viewer.leave()
    assert "1 / 2" in viewer.text("batch")
    assert (first == viewer.pixels()).all() and (first != second).any()


def test_components_show_while_nothing_is_pointed_at(pair: Ui) -> None:
    """In mode components the picture is covered with their colours; a word takes their place."""
    pair.page.evaluate(
        """() => {
            const node = app.graph.nodes.find(x => x.type === "AttentionMapViewer");
            node.widgets.find(x => x.name === "mode").value = "components";
        }"""
    )
    viewer, before = pair.viewer, pair.payload()
    pair.run()
    viewer.leave()
    assert before["mode"] != "components" and viewer.text("title") == "three main components as colours"
    pair.picture("classic-components")
    colours = pair.file(pair.payload()["images"][0]["components"][-1]["file"])[..., :3].reshape(-1, 3).mean(0)
    viewer.panel.get_by_label("Opacity").fill("1")
    shown = viewer.pixels()
    assert shown[shown[..., 3] > 250][:, :3].mean(0) == pytest.approx(colours, abs=4)
    viewer.chip("cat").hover()
    assert "“cat”" in viewer.text("title")
