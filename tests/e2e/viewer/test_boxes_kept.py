"""Boxes of the classic editor in the host's hands: its history, its drafts, its other renderer."""

import re
from typing import Any

import pytest

from .browser import Json, Ui
from .classic_editor import CHANGE, STATE, drag, near, show_empty, sides

STEPS = "app.extensionManager.workflow.activeWorkflow.changeTracker.undoQueue.length"


@pytest.fixture
def saved(own: Ui) -> Json:
    """The node without boxes, as a workflow is saved; with a history of its own."""
    show_empty(own)
    workflow: Json = own.page.evaluate("app.graph.serialize()")
    own.show(workflow, "classic", at="CreateBoundingBoxes")
    return workflow


def test_boxes_are_there_when_the_page_is_loaded_again(own: Ui, saved: Json) -> None:
    """Each way of changing them is a step that the host can undo, and is in the draft that it keeps."""
    keys = own.page.keyboard

    def adds_a_step(act: Any) -> None:
        before = own.page.evaluate(STEPS)
        act()
        own.page.wait_for_function(f"{STEPS} === {before + 1}", timeout=3000)

    adds_a_step(lambda: drag(own, (32, 32), (160, 192)))
    adds_a_step(lambda: keys.type("red cat"))
    adds_a_step(lambda: drag(own, (100, 150), (132, 160)))
    adds_a_step(own.page.get_by_role("button", name="Add").click)
    adds_a_step(lambda: keys.press("ArrowRight"))
    adds_a_step(own.page.get_by_role("button", name="Remove").click)
    adds_a_step(own.page.get_by_role("button", name="Add").click)
    adds_a_step(lambda: keys.press("Delete"))
    own.page.wait_for_timeout(1500)  # the host keeps a draft when nothing has changed for a while
    own.page.reload()
    own.wait_until_ready()
    (box,) = own.page.evaluate(STATE)
    assert near(sides(box), [64, 42, 128, 160]) and box["metadata"]["desc"] == "red cat"
    own.look(at="CreateBoundingBoxes")
    assert own.page.locator(".acb-box").count() == 1


def test_boxes_of_other_programs_are_shown(own: Ui, saved: Json) -> None:
    """With nothing said of them, or half of it, or what is no colour; what is no box is not, and the workflow
    opens as ever."""
    sent = {"x": 64, "y": 32, "width": 128, "height": 160}
    odd = [
        sent,
        {**sent, "metadata": {"desc": "red cat", "palette": None}},
        {"x": 1},
        None,
        {**sent, "y": "top"},
        {**sent, "x": 300, "metadata": {"palette": ["url(/odd)"]}},
    ]
    own.page.evaluate(CHANGE, {"editor_state": odd})
    workflow = own.page.evaluate("app.graph.serialize()")
    own.show(workflow, "classic", at="CreateBoundingBoxes")
    assert own.page.locator(".acb-box").all_inner_texts() == ["1", "2 red cat", "3"]
    colour = own.page.locator(".acb-box").last.evaluate("box => box.style.getPropertyValue('--box')")
    assert re.fullmatch("#[0-9a-f]{6}", colour)
    drag(own, (100, 150), (132, 160))
    first, second, third = own.page.evaluate(STATE)
    assert sides(first) == [64, 32, 128, 160] and near(sides(second), [96, 42, 128, 160])
    assert (first["metadata"]["desc"], second["metadata"]["desc"]) == ("", "red cat")
    assert third["metadata"]["palette"] == ["url(/odd)"]


def test_the_stage_has_the_shape_of_the_canvas(own: Ui, saved: Json) -> None:
    """Also where that is higher than wide: a square is one on the screen."""
    for width, height in ((512, 1024), (1024, 256)):
        own.page.evaluate(CHANGE, {"width": width, "height": height})
        own.page.wait_for_timeout(200)
        shown = own.page.locator(".acb-stage").bounding_box()
        assert shown["width"] / shown["height"] == pytest.approx(width / height, rel=0.02)
        around = own.page.locator(".acb").bounding_box()
        assert shown["x"] - around["x"] == pytest.approx(
            around["x"] + around["width"] - shown["x"] - shown["width"], abs=2
        )
        own.picture(f"classic-canvas-{width}x{height}")
