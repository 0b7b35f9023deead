"""Several pictures: one after the other, correspondence between them, components."""

import numpy as np
import numpy.typing as npt
import pytest

from .browser import CELLS, Ui, brief

CHOOSE_COLOURS = """name => {
    const node = app.graph.nodes.find(node => node.type === "AttentionMapViewer");
    const widget = node.widgets.find(widget => widget.name === "colormap");
    widget.value = name;
    widget.callback(name);
}"""


@pytest.fixture(scope="module")
def several(own: Ui) -> Ui:
    """Three pictures in a batch, with queries and keys recorded."""
    three = brief()
    widgets = {node["type"]: node["widgets_values"] for node in three["nodes"]}
    widgets["EmptyLatentImage"][2] = 3
    widgets["AttentionRecorder"][4] = True
    widgets["AttentionMapViewer"][0] = "correspondence"
    own.show(three, "classic")
    own.run()
    return own


def test_point_finds_itself_in_the_other_picture(several: Ui) -> None:
    """Beside the picture stands another one, white under a gray map where that token's row is highest; keys
    choose which."""
    viewer = several.viewer
    assert viewer.panel.get_by_label("View").input_value() == "match"
    assert viewer.text("title") == "what this patch matches"
    several.page.evaluate(CHOOSE_COLOURS, "viridis")
    viewer.settle()
    assert viewer.panel.get_by_label("View").input_value() == "match"
    with several.page.expect_download() as download:
        viewer.panel.get_by_role("button", name="Save").click()
    assert "shown-layer" in download.value.suggested_filename  # no layer is chosen, and the matches are one's
    several.picture("classic-other-picture")
    viewer.panel.get_by_label("Colour map").select_option("gray")
    viewer.panel.get_by_label("Opacity").fill("1")
    others = viewer.panel.get_by_role("combobox", name="Which other picture")
    assert others.locator("option").all_inner_texts() == ["2 / 3", "3 / 3"]
    first = counterparts(several)
    assert is_hottest(several, first, other=1)
    others.press("ArrowDown")
    second = counterparts(several)
    assert is_hottest(several, second, other=2) and (first != second).any()
    several.picture("classic-which-other-picture")
    viewer.panel.get_by_role("button", name="Next").click()
    assert others.locator("option").all_inner_texts() == ["1 / 3", "3 / 3"]
    assert others.input_value() == "2"
    viewer.panel.get_by_label("View").select_option("single")
    viewer.settle()
    assert not others.is_visible()
    viewer.panel.get_by_role("button", name="Previous").click()


def counterparts(ui: Ui) -> npt.NDArray[np.float64]:
    """The light of each cell of the right one of two square panes."""
    shown = ui.viewer.pixels()[..., :3].sum(-1)
    side = (shown.shape[1] - shown.shape[1] // 2) // CELLS * CELLS  # beside each other, the gap is small
    pane = shown[shown.shape[0] // 2 - side // 2 :][:side, -side:].reshape(CELLS, side // CELLS, CELLS, -1)
    light: npt.NDArray[np.float64] = pane.mean((1, 3))
    return light


def is_hottest(ui: Ui, light: npt.NDArray[np.float64], other: int) -> bool:
    """Whether the brightest cell is one that the middle of the first picture finds itself in."""
    entries = ui.payload()["images"][0]["correspondence"]
    finest = [
        x for x in entries if x["grid"] == [CELLS, CELLS] and x["slice"] is None and x["other"] == other
    ]
    row = ui.file(finest[-1]["file"])[CELLS // 2 * CELLS + CELLS // 2].reshape(CELLS, CELLS)
    return bool(row[np.unravel_index(light.argmax(), light.shape)] >= 0.8 * row.max())


def test_pictures_of_the_batch_in_turn(several: Ui) -> None:
    """The arrows go round; each picture comes with its own maps."""
    viewer = several.viewer
    viewer.panel.get_by_label("View").select_option("single")
    viewer.chip("cat").click()
    viewer.leave()
    first = viewer.pixels()
    forward = viewer.panel.get_by_role("button", name="Next")
    forward.click()
    assert "2 / 3" in viewer.text("batch")
    second = viewer.pixels()
    forward.click()
    forward.click()
    viewer.leave()
    assert "1 / 3" in viewer.text("batch")
    assert (first == viewer.pixels()).all() and (first != second).any()


def test_components_show_while_nothing_is_pointed_at(several: Ui) -> None:
    """In mode components the picture is covered with their colours; a word takes their place."""
    several.page.evaluate(
        """() => {
            const node = app.graph.nodes.find(x => x.type === "AttentionMapViewer");
            node.widgets.find(x => x.name === "mode").value = "components";
        }"""
    )
    viewer, before = several.viewer, several.payload()
    several.run()
    viewer.leave()
    assert before["mode"] != "components" and viewer.text("title") == "three main components as colours"
    several.picture("classic-components")
    colours = (
        several.file(several.payload()["images"][0]["components"][-1]["file"])[..., :3].reshape(-1, 3).mean(0)
    )
    viewer.panel.get_by_label("Opacity").fill("1")
    shown = viewer.pixels()
    assert shown[shown[..., 3] > 250][:, :3].mean(0) == pytest.approx(colours, abs=4)
    viewer.chip("cat").hover()
    assert "“cat”" in viewer.text("title")
