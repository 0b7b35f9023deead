"""Times and layers, views, saving."""

import io
from pathlib import Path

from PIL import Image

from .browser import Ui, once, renderer


@once
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


@once
def test_play_runs_through_the_times(ui: Ui) -> None:
    """Play moves the time slider by itself, from slice to slice, until it is paused; the slice that it then
    says is the one on show."""
    viewer = ui.viewer
    viewer.chip("cat").click()
    viewer.panel.get_by_role("button", name="Play").click()
    time, kept = viewer.slider("time").element_handle(), "([x, kept]) => x.value !== kept && x.value"
    places = ["0"]
    for _ in range(3):
        places.append(ui.page.wait_for_function(kept, arg=[time, places[-1]]).json_value())
    viewer.panel.get_by_role("button", name="Pause").click()
    assert "0" not in places[1:]
    viewer.settle()
    stopped = time.input_value()
    ui.page.wait_for_timeout(1000)  # two slices and a half
    assert time.input_value() == stopped
    viewer.leave()
    paused = viewer.pixels()
    time.fill(stopped)
    viewer.leave()
    assert (viewer.pixels() == paused).all()


@once
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


@once
def test_saved_png_has_the_map_at_a_good_size(ui: Ui) -> None:
    """The button gives a PNG named after what it shows, 1024 pixels for the picture and a caption below."""
    ui.viewer.chip("cat").click()
    with ui.page.expect_download() as download:
        ui.viewer.panel.get_by_role("button", name="Save").click()
    assert download.value.suggested_filename.startswith("attention-where-cat-is-looked-at")
    with Image.open(io.BytesIO(Path(download.value.path()).read_bytes())) as image:
        assert image.format == "PNG" and image.width >= 1024 and image.height > image.width
