"""Our editor of boxes in the host's node, as a user of the classic renderer meets it."""

from __future__ import annotations

from .browser import Json, Ui

SIZE = (512, 256)
STATE = """() => app.graph.nodes.find(node => node.type === "CreateBoundingBoxes").widgets
    .find(widget => widget.name === "editor_state").value"""
EMPTY = """() => {
    const { widgets } = app.graph.nodes.find(node => node.type === "CreateBoundingBoxes");
    const state = widgets.find(widget => widget.name === "editor_state");
    state.value = [];
    state.callback?.(state.value);
}"""
CHANGE = """values => {
    const { widgets } = app.graph.nodes.find(node => node.type === "CreateBoundingBoxes");
    for (const widget of widgets.filter(({ name }) => name in values)) {
        widget.value = values[widget.name];
        widget.callback?.(widget.value);
    }
}"""
NODE = {
    "class_type": "CreateBoundingBoxes",
    "inputs": {"width": SIZE[0], "height": SIZE[1], "editor_state": []},
}


def show_empty(ui: Ui) -> None:
    """The node without boxes; the web UI has kept those of the last test for another node of its number."""
    ui.show({"1": NODE}, "classic", at="CreateBoundingBoxes")
    ui.page.evaluate(EMPTY)


def sides(box: Json) -> list[int]:
    return [box[side] for side in ("x", "y", "width", "height")]


def drag(ui: Ui, start: tuple[int, int], end: tuple[int, int]) -> None:
    """From one place of the canvas to another, both in its pixels."""
    shown = ui.page.locator(".acb-stage").bounding_box()
    places = [
        (shown["x"] + x / SIZE[0] * shown["width"], shown["y"] + y / SIZE[1] * shown["height"])
        for x, y in (start, end)
    ]
    ui.page.mouse.move(*places[0])
    ui.page.mouse.down()
    ui.page.mouse.move(*places[1], steps=3)
    ui.page.mouse.up()


def near(found: list[int], wanted: list[int]) -> bool:
    """Screens are coarser than the canvas."""
    return all(abs(one - other) <= 3 for one, other in zip(found, wanted, strict=True))
