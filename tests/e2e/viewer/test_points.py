"""Pointing at the picture: ranking, patches, keys, the wheel."""

import numpy as np
import pytest

from .browser import CELLS, Ui, atlas, renderer

ZOOMS = {"classic": 0.55, "vue": 1.6}  # the other tests point at zoom 1


def test_point_of_the_picture_ranks_its_words(ui: Ui) -> None:
    """Under the pointer: the probabilities that the server sent for that very cell, at any zoom."""
    ui.look(ZOOMS[renderer(ui)])
    probabilities, entry = atlas(ui, None)
    words = ui.viewer.chips.all_inner_texts()
    for column, row in ((3, 5), (12, 1)):
        ui.viewer.point_at((column + 0.5) / CELLS, (row + 0.5) / CELLS)
        here = probabilities[-1, :, row * entry["tile"][1] // CELLS, column * entry["tile"][0] // CELLS]
        order = sorted(range(len(words)), key=lambda word: -here[word])[:5]
        shown = [(words[word], here[word]) for word in order if here[word] >= 0.0005]
        assert [word for word, _ in ui.viewer.ranking()] == [word for word, _ in shown]
        assert [float(text.split()[0]) / 100 for _, text in ui.viewer.ranking()] == pytest.approx(
            [probability for _, probability in shown], abs=0.006
        )


def test_clicked_patch_shows_where_it_looks(ui: Ui) -> None:
    """The map is hottest at the highest entry of that token's row, off the crosshair; Escape ends it."""
    viewer, (first, *_) = ui.viewer, (x for x in ui.payload()["images"][0]["self"] if x["layer"] is None)
    rows, (height, width) = ui.file(first["file"]), first["grid"]
    looks = rows.reshape(height, width, height, width).copy()
    for row, column in np.ndindex(height, width):
        looks[row, column, row], looks[row, column, :, column] = 0, 0  # there the crosshair lies
    row, column = divmod(int(looks.max((2, 3)).argmax()), width)  # a patch that looks at another place
    viewer.point_at((column + 0.5) / width, (row + 0.5) / height, click=True)
    assert viewer.text("title") == "where this patch looks"
    ui.picture(f"{renderer(ui)}-patch")
    viewer.leave()
    x, y = viewer.hottest(away_from=((column + 0.5) / width, (row + 0.5) / height))
    assert looks[row, column, int(y * height), int(x * width)] >= 0.95 * looks[row, column].max() > 0
    viewer.stage.press("Escape")
    viewer.leave()
    assert viewer.text("title") == "Hover a word or the picture."


def test_crosshair_moves_by_keys(ui: Ui) -> None:
    """Arrow keys walk over the cells, Enter keeps one; the ranking follows. Shortcuts reach the host."""
    viewer = ui.viewer
    viewer.leave()
    viewer.stage.focus()
    ui.page.evaluate("() => addEventListener('keydown', event => (window.reached = event.key))")
    ui.page.keyboard.press("Control+ArrowRight")
    assert ui.page.evaluate("window.reached") == "ArrowRight"
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        ui.page.keyboard.press(key)
    viewer.leave()
    assert viewer.text("title") == "where this patch looks"
    by_keys = viewer.ranking()
    viewer.stage.press("Escape")
    viewer.point_at(9.5 / CELLS, 9.5 / CELLS)
    assert by_keys == viewer.ranking() and by_keys


def test_wheel_zooms_the_canvas(ui: Ui) -> None:
    """Over the panel as beside it, by the same factor."""

    def factor(across: float, down: float) -> float:
        ui.look()
        ui.page.mouse.move(across, down)
        ui.page.mouse.wheel(0, -100)
        zoomed = ui.page.wait_for_function("app.canvas.ds.scale !== 1 && app.canvas.ds.scale")
        return float(zoomed.json_value())

    box = ui.viewer.stage.bounding_box()
    over = factor(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert over == pytest.approx(factor(1100, 700)) and over > 1
