"""Boxes drawn in the classic renderer, where the host's node has no canvas of its own."""

import json
from typing import Any

from .accessibility import complaints
from .box_editor import BoxEditor
from .browser import Ui
from .classic_editor import EMPTY, NODE, STATE, drag, near, show_empty, sides

GIVEN = [{"x": 64, "y": 32, "width": 128, "height": 160, "metadata": {"desc": "red cat"}}]
UNLINK = """() => {
    const node = app.graph.nodes.find(node => node.type === "CreateBoundingBoxes");
    node.disconnectInput(node.inputs.findIndex(input => input.name === "bboxes"));
}"""


def test_boxes_are_drawn_moved_described_and_removed(own: Ui, axe: str) -> None:
    """By mouse and by keys, in the data that the host's own canvas keeps; clicks leave nothing."""
    show_empty(own)

    def boxes() -> list[Any]:
        return list(own.page.evaluate(STATE))

    drag(own, (32, 32), (160, 192))
    own.page.keyboard.type("red cat")
    drag(own, (300, 60), (400, 200))
    drag(own, (450, 20), (451, 21))
    first, second = boxes()
    assert near(sides(first), [32, 32, 128, 160]) and near(sides(second), [300, 60, 100, 140])
    assert [box["metadata"]["desc"] for box in (first, second)] == ["red cat", ""]
    assert first["metadata"].keys() == {"type", "text", "desc", "palette"}
    drag(own, (100, 150), (132, 160))  # moved
    drag(own, (395, 195), (600, 227))  # by its corner, as far as the canvas goes
    assert near(sides(boxes()[0]), [64, 42, 128, 160]) and near(sides(boxes()[1]), [300, 60, 212, 172])
    own.page.locator(".acb-box").first.focus()
    own.page.keyboard.press("ArrowRight")
    own.page.keyboard.press("Shift+ArrowUp")
    own.page.keyboard.press("Control+ArrowUp")  # nothing of ours
    assert near(sides(boxes()[0]), [72, 42, 128, 152])
    own.picture("classic-boxes")
    found = list(complaints(own, axe, ".acb", "CreateBoundingBoxes"))
    assert found == []
    own.page.locator(".acb-box").first.focus()
    own.page.keyboard.press("Delete")
    assert near(sides(boxes()[0]), [300, 60, 212, 172]) and len(boxes()) == 1


def test_boxes_are_made_by_keys_alone(own: Ui) -> None:
    """Add, move, describe, go back, remove: the focus is always where one goes on."""
    show_empty(own)
    keys = own.page.keyboard
    own.page.get_by_role("button", name="Add").focus()
    for key in ("Enter", "ArrowRight", "ArrowDown", "Shift+ArrowLeft", "Enter"):
        keys.press(key)
    keys.type("red cat")
    for key in ("Tab", "Enter"):  # another one
        keys.press(key)
    first, second = own.page.evaluate(STATE)
    assert sides(first) == [8, 8, 248, 128] and first["metadata"]["desc"] == "red cat"
    assert sides(second) == [64, 32, 256, 128]
    for key in ("Shift+Tab", "Delete"):
        keys.press(key)
    assert own.page.evaluate(STATE) == [second]
    keys.press("Delete")
    keys.press("Enter")  # the focus has come back to what adds one
    assert [sides(box) for box in own.page.evaluate(STATE)] == [[0, 0, 256, 128]]


def test_a_drag_ends_where_it_is_cancelled(own: Ui) -> None:
    """A touch that the browser takes away has moved its box; whoever points there later moves nothing."""
    show_empty(own)
    drag(own, (32, 32), (160, 192))
    shown = own.page.locator(".acb-stage").bounding_box()
    touched = own.page.context.new_cdp_session(own.page)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [
            {"x": shown["x"] + x * shown["width"], "y": shown["y"] + y * shown["height"]} for x, y in places
        ]
        touched.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (0.2, 0.5))
    touch("touchMove", (0.25, 0.5))
    touch("touchCancel")
    left = own.page.evaluate(STATE)
    assert near(sides(left[-1]), [58, 32, 128, 160])
    for x in (0.3, 0.4):
        own.page.mouse.move(shown["x"] + x * shown["width"], shown["y"] + 0.6 * shown["height"])
    assert own.page.evaluate(STATE) == left


def test_either_renderer_has_one_canvas(own: Ui) -> None:
    """The host's or ours, also when the renderer is changed while the node is there, with the same boxes."""
    ours, host = own.page.locator(".acb:visible"), own.page.get_by_test_id("bounding-boxes")
    own.show({"1": NODE}, "vue", at="CreateBoundingBoxes")
    own.page.get_by_role("button", name="Clear all").click()
    BoxEditor(own.page).draw((32, 128, 160, 384))  # parts of 512
    for renderer in ("vue", "classic", "vue"):
        own.set("Comfy.VueNodes.Enabled", renderer == "vue")
        own.page.wait_for_timeout(1000)
        assert (host.count(), ours.count()) == ((1, 0) if renderer == "vue" else (0, 1))
        if renderer == "classic":
            own.look(at="CreateBoundingBoxes")
            assert ours.locator(".acb-box").count() == 1
            drag(own, (300, 60), (400, 200))
        own.picture(f"{renderer}-boxes-changed")
    first, second = own.page.evaluate(STATE)
    assert near(sides(first), [32, 64, 128, 128]) and near(sides(second), [300, 60, 100, 140])


def test_boxes_of_another_node_are_gone_on_with(own: Ui) -> None:
    """They stand in the canvas after a run; what is drawn then counts until they change, not until another
    workflow's node of this number is given some."""
    texts = {"class_type": "PrimitiveStringMultiline", "inputs": {"value": json.dumps(GIVEN)}}
    inputs = {**NODE["inputs"], "bboxes": ["2", 0]}
    own.show({"2": texts, "1": {**NODE, "inputs": inputs}}, "classic", at="CreateBoundingBoxes")
    own.page.evaluate(EMPTY)
    own.run()
    (box,) = own.page.evaluate(STATE)
    assert sides(box) == [64, 32, 128, 160]
    assert box["metadata"] == {"type": "obj", "text": "", "desc": "red cat", "palette": []}
    drag(own, (100, 150), (132, 160))
    own.run()
    (moved,) = own.page.evaluate(STATE)
    assert near(sides(moved), [96, 42, 128, 160])
    others = {"input_bboxes": [{**GIVEN[0], "x": 300}]}
    own.hear("another", "1", others)
    assert own.page.evaluate(STATE) == [moved]
    own.page.evaluate(UNLINK)
    own.hear(own.page.evaluate("app.rootGraph.id"), "1", others)
    assert own.page.evaluate(STATE) == [moved]
