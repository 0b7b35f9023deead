"""Boxes of the classic editor in the host's hands: its history, its drafts, its other renderer."""

import pytest

from .browser import Json, Ui
from .classic_editor import CHANGE, STATE, drag, near, show_empty, sides


@pytest.fixture
def saved(own: Ui) -> Json:
    """The node without boxes, as a workflow is saved; with a history of its own."""
    show_empty(own)
    workflow: Json = own.page.evaluate("app.graph.serialize()")
    own.show(workflow, "classic", at="CreateBoundingBoxes")
    return workflow


def test_boxes_of_other_programs_are_shown(own: Ui, saved: Json) -> None:
    """With nothing said of them, or half of it; what is no box is not, and the workflow opens as ever."""
    sent = {"x": 64, "y": 32, "width": 128, "height": 160}
    odd = [
        sent,
        {**sent, "metadata": {"desc": "red cat", "palette": None}},
        {"x": 1},
        None,
        {**sent, "y": "top"},
    ]
    own.page.evaluate(CHANGE, {"editor_state": odd})
    workflow = own.page.evaluate("app.graph.serialize()")
    own.show(workflow, "classic", at="CreateBoundingBoxes")
    assert own.page.locator(".acb-box").all_inner_texts() == ["1", "2 red cat"]
    drag(own, (100, 150), (132, 160))
    first, second = own.page.evaluate(STATE)
    assert sides(first) == [64, 32, 128, 160] and near(sides(second), [96, 42, 128, 160])
    assert (first["metadata"]["desc"], second["metadata"]["desc"]) == ("", "red cat")
