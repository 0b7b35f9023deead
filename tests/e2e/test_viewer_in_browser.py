"""The viewer in a real browser, on the real server, with maps of the demo model."""

import copy
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from host_server import Server
from pack import load_pack

from .browser import RENDERERS, Json, Ui, chromium, workflow

EXAMPLE = Path(__file__).resolve().parents[2] / "example_workflows" / "attention_maps.json"
CELLS = 16  # the finest grid of the demo model on its pictures


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One Chromium for the module."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="module", params=RENDERERS)
def ran(request: pytest.FixtureRequest, browser: Any, server: Server) -> Iterator[Ui]:
    """The example in either renderer of nodes, run once."""
    ui = Ui.open(browser, server.address, workflow(EXAMPLE), request.param)
    ui.run()
    yield ui
    ui.page.context.close()


@pytest.fixture
def ui(ran: Ui) -> Iterator[Ui]:
    """The same page for every test; afterwards nothing is pinned and the sliders are at the mean."""
    yield ran
    viewer = ran.viewer
    for _ in range(2):
        viewer.stage.press("Escape")
    for name in ("time", "layer"):
        viewer.slider(name).fill("0")
    viewer.panel.get_by_label("Opacity").fill("0.85")
    viewer.panel.get_by_label("Colour map").select_option("magma")
    viewer.panel.get_by_label("View").select_option("single")
    viewer.leave()
    ran.look()


def renderer(ui: Ui) -> str:
    """The name of the renderer that draws the nodes."""
    return "vue" if ui.page.evaluate("LiteGraph.vueNodesMode") else "classic"


def atlas(ui: Ui, layer: int | None) -> tuple[np.ndarray, Json]:
    """Probabilities (slices and their mean, words, h, w) as the server sent them, and their entry."""
    (entry,) = (entry for entry in ui.payload()["images"][0]["cross"] if entry["layer"] == layer)
    width, height = entry["tile"]
    gray, scale = ui.file(entry["file"]), np.array(entry["scale"])
    tiles = gray.reshape(scale.shape[0], height, scale.shape[1], width).transpose(0, 2, 1, 3)
    return tiles / 255 * scale[..., None, None], entry


def test_words_of_the_prompt_are_chips(ui: Ui) -> None:
    """The words that name something, in their order; each has a colour of its own."""
    assert ui.viewer.chips.all_inner_texts() == ["red", "cat", "blue", "dog", "beach", "clay", "style"]
    colours = [chip.evaluate("x => x.style.getPropertyValue('--word')") for chip in ui.viewer.chips.all()]
    assert len(set(colours)) == len(colours)


def test_hovered_noun_is_hot_where_the_judge_finds_it(ui: Ui) -> None:
    """The hottest place of each subject's map lies in a box in which the judge sees that subject."""
    seen = torch.from_numpy(ui.file(ui.payload()["images"][0]["picture"]).copy()) / 255
    load_pack()
    from attention_control.demo_model.judge import Judge

    boxes: dict[str, list[tuple[float, ...]]] = {}
    for subject in Judge.load()(seen[None])[0].subjects:
        boxes.setdefault(subject.noun, []).append(subject.box)
    nouns = [word for word in ui.viewer.chips.all_inner_texts() if word in boxes]
    assert nouns
    for noun in nouns:
        ui.viewer.chip(noun).hover()
        assert f"“{noun}”" in ui.viewer.text("title")
        ui.picture(f"{renderer(ui)}-word-{noun}")
        ui.viewer.panel.get_by_label("Colour map").select_option("gray")
        ui.viewer.chip(noun).hover()
        x, y = (side * seen.shape[1] for side in ui.viewer.hottest())
        assert any(left <= x <= right and top <= y <= bottom for left, top, right, bottom in boxes[noun])


def test_sliders_change_the_map_and_the_caption(ui: Ui) -> None:
    """By the arrow keys: every place of both sliders says the time and the layer that it stands for."""
    viewer, sent = ui.viewer, ui.payload()
    viewer.chip("cat").click()
    pictures = [viewer.pixels()]
    assert viewer.text("place") == f"t mean · mean of {len(sent['layers'])} layers"
    for _ in range(3):
        viewer.slider("time").press("ArrowRight")
    for _ in range(len(sent["layers"])):
        viewer.slider("layer").press("ArrowRight")
    time, layer = sent["slices"][2]["time"], sent["layers"][-1]
    place = (
        f"layer {layer['ordinal']} / {layer['total']} · {layer['name']} · {'x'.join(map(str, layer['grid']))}"
    )
    assert viewer.text("place") == f"t {time:.2f} · {place}"
    assert viewer.slider("time").get_attribute("aria-valuetext") == f"t {time:.2f}"
    pictures.append(viewer.pixels())
    ui.picture(f"{renderer(ui)}-sliders")
    viewer.slider("layer").press("Home")
    assert viewer.text("place") == f"t {time:.2f} · mean of {len(sent['layers'])} layers"
    pictures.append(viewer.pixels())
    assert all((a != b).any() for i, a in enumerate(pictures) for b in pictures[:i])


@pytest.mark.parametrize("scale", [1.0, 0.55, 1.6])
def test_point_of_the_picture_ranks_its_words(ui: Ui, scale: float) -> None:
    """Under the pointer: the probabilities that the server sent for that very cell, at any zoom."""
    ui.look(scale)
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


def test_pins_add_up_and_let_go(ui: Ui) -> None:
    """Click keeps a word alone, shift adds one, Escape lets go; all by keys as well."""
    viewer = ui.viewer
    viewer.chip("cat").click()
    viewer.chip("dog").click(modifiers=["Shift"])
    viewer.leave()
    assert viewer.pressed() == ["cat", "dog"] and "“cat + dog”" in viewer.text("title")
    ui.picture(f"{renderer(ui)}-two-words")
    viewer.chip("cat").click()
    assert viewer.pressed() == ["cat"]
    viewer.chip("cat").press("ArrowRight")
    ui.page.keyboard.press("Shift+Enter")
    assert viewer.pressed() == ["cat", "blue"]
    ui.page.keyboard.press("Escape")
    assert viewer.pressed() == []


def test_crosshair_moves_by_keys(ui: Ui) -> None:
    """Arrow keys walk over the cells, Enter keeps one; the ranking follows."""
    viewer = ui.viewer
    viewer.leave()
    viewer.stage.focus()
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        ui.page.keyboard.press(key)
    viewer.leave()
    assert viewer.text("title") == "where this patch looks"
    by_keys = viewer.ranking()
    viewer.stage.press("Escape")
    viewer.point_at(9.5 / CELLS, 9.5 / CELLS)
    assert by_keys == viewer.ranking() and by_keys


def test_side_by_side_leaves_the_picture_alone(ui: Ui) -> None:
    """One pane is the plain picture, the other has the map."""
    viewer = ui.viewer
    viewer.chip("dog").click()
    viewer.leave()
    over = viewer.pixels()
    viewer.panel.get_by_label("View").select_option("side")
    ui.picture(f"{renderer(ui)}-side-by-side")
    beside = viewer.pixels()
    assert beside.shape != over.shape or (beside != over).any()
    picture = ui.file(ui.payload()["images"][0]["picture"])[..., :3].reshape(-1, 3).mean(0)
    shown = beside[beside[..., 3] > 250][:, :3]
    assert len(shown) > 0 and (shown.mean(0) < picture).all()  # a map dims; half of the place is plain


def test_saved_png_has_the_map_at_a_good_size(ui: Ui) -> None:
    """The button gives a PNG named after what it shows, 1024 pixels for the picture and a caption below."""
    ui.viewer.chip("cat").click()
    with ui.page.expect_download() as download:
        ui.viewer.panel.get_by_role("button", name="Save").click()
    assert download.value.suggested_filename.startswith("attention-where-cat-is-looked-at")
    with Image.open(io.BytesIO(Path(download.value.path()).read_bytes())) as image:
        assert image.format == "PNG" and image.width >= 1024 and image.height > image.width


def test_play_runs_through_the_times(ui: Ui) -> None:
    """Play moves the time slider by itself, from slice to slice, until it is paused."""
    viewer = ui.viewer
    viewer.chip("cat").click()
    viewer.panel.get_by_role("button", name="Play").click()
    moved = "x => new Promise(done => setTimeout(() => done(x.value), 700))"
    places = {viewer.slider("time").evaluate(moved) for _ in range(4)}
    viewer.panel.get_by_role("button", name="Pause").click()
    assert len(places) > 1 and "0" not in places
    stopped = viewer.slider("time").evaluate(moved)
    assert viewer.slider("time").evaluate(moved) == stopped


def test_files_come_when_they_are_looked_at(browser: Any, server: Server) -> None:
    """At rest the picture alone is fetched; a word brings one atlas, a second word none, a patch one more."""
    ui = Ui.open(browser, server.address, workflow(EXAMPLE), "classic")
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
    ui = Ui.open(browser, server.address, workflow(EXAMPLE), name)
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
    ui = Ui.open(browser, server.address, workflow(EXAMPLE), "classic")
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
    two = copy.deepcopy(workflow(EXAMPLE))
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


def test_wheel_zooms_the_canvas(ui: Ui) -> None:
    """Over the panel as beside it, by the same factor."""

    def factor(across: float, down: float) -> float:
        ui.look()
        ui.page.mouse.move(across, down)
        ui.page.mouse.wheel(0, -100)
        ui.page.wait_for_timeout(300)
        zoomed: float = ui.page.evaluate("app.canvas.ds.scale")
        return zoomed

    box = ui.viewer.stage.bounding_box()
    over = factor(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert over == pytest.approx(factor(1100, 700)) and over > 1


def test_colour_map_is_the_nodes_own_input(ui: Ui) -> None:
    """Chosen in the panel or in the node, it is the same; nothing else of the panel goes to the server."""
    viewer, node = ui.viewer, 'app.graph.nodes.find(x => x.type === "AttentionMapViewer")'
    own = f'{node}.widgets.find(x => x.name === "colormap")'
    viewer.panel.get_by_label("Colour map").select_option("viridis")
    assert ui.page.evaluate(f"{own}.value") == "viridis"
    ui.page.evaluate(f'{own}.value = "turbo"; {own}.callback("turbo")')
    viewer.settle()
    assert viewer.panel.get_by_label("Colour map").input_value() == "turbo"

    def prompt() -> Json:
        sent: Json = ui.page.evaluate(f"app.graphToPrompt().then(x => x.output[{node}.id].inputs)")
        return sent

    before = prompt()
    assert before["colormap"] == "turbo" and "attention_maps" not in before
    viewer.panel.get_by_label("Opacity").fill("0.3")
    viewer.slider("layer").press("End")
    assert prompt() == before


@pytest.fixture(scope="module")
def pair(browser: Any, server: Server) -> Iterator[Ui]:
    """Two pictures in a batch, with queries and keys recorded."""
    two = copy.deepcopy(workflow(EXAMPLE))
    widgets = {node["type"]: node["widgets_values"] for node in two["nodes"]}
    widgets["EmptyLatentImage"][2] = 2
    widgets["AttentionRecorder"][4] = True
    widgets["AttentionMapViewer"][0] = "correspondence"
    widgets["KSampler"][2] = 4
    ui = Ui.open(browser, server.address, two, "classic")
    ui.run()
    yield ui
    ui.page.context.close()


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
    colours = pair.file(pair.payload()["images"][0]["components"][0]["file"])[..., :3].reshape(-1, 3).mean(0)
    viewer.panel.get_by_label("Opacity").fill("1")
    shown = viewer.pixels()
    assert shown[shown[..., 3] > 250][:, :3].mean(0) == pytest.approx(colours, abs=4)
    viewer.chip("cat").hover()
    assert "“cat”" in viewer.text("title")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_texts_can_be_read_in_either_theme(theme: str, browser: Any, server: Server) -> None:
    """Chips have a contrast of 4.5 : 1 (WCAG 2.1, 1.4.3) against their ground, pinned or not."""
    ui = Ui.open(browser, server.address, workflow(EXAMPLE), "vue", device_scale_factor=1.5)
    ui.set("Comfy.ColorPalette", theme)
    ui.run()
    ui.viewer.chip("cat").click()
    ui.viewer.leave()
    ui.picture(f"vue-{theme}")
    for chip in ui.viewer.chips.all():
        text, ground = chip.evaluate(PAINTED)
        assert contrast(text, ground) >= 4.5, (theme, chip.inner_text(), text, ground)
    ui.page.context.close()


PAINTED = """chip => ["color", "backgroundColor"].map(name => {
    const pixel = new OffscreenCanvas(1, 1).getContext("2d");
    pixel.fillStyle = getComputedStyle(chip)[name];
    pixel.fillRect(0, 0, 1, 1);
    return Array.from(pixel.getImageData(0, 0, 1, 1).data.slice(0, 3));
})"""


def contrast(one: list[int], other: list[int]) -> float:
    """The ratio of two colours' relative luminances, 1 to 21."""
    light = sorted(
        sum(
            weight * (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4)
            for weight, c in zip((0.2126, 0.7152, 0.0722), (channel / 255 for channel in colour), strict=True)
        )
        for colour in (one, other)
    )
    return (light[1] + 0.05) / (light[0] + 0.05)
