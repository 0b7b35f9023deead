"""What a run did is to be read on its nodes: behind other tabs, after an undo."""

from typing import Any

import pytest

from .browser import RENDERERS, RUN_WORKFLOW, Json, Ui, brief
from .panel import TWO_FRAMES

SOON = 20_000  # milliseconds after a run, on a busy machine
RECORDER = "AttentionRecorder"
TEXT = """type => app.canvas.graph.nodes.find(node => node.type === type).widgets
    ?.find(widget => widget.name === "$$node-text-preview")?.value ?? ''"""
SAYS = f"([type, text]) => ({TEXT})(type).includes(text)"
TABS = ".workflow-tabs .p-togglebutton"
START_RUN = f"""async () => {{
    const started = new Promise(done => app.api.addEventListener("execution_start", done, {{ once: true }}));
    window.ended = ({RUN_WORKFLOW})();
    await started;
}}"""
SET_STEPS = """count => {
    const sampler = app.graph.nodes.find(node => node.type === "KSampler");
    sampler.widgets.find(widget => widget.name === "steps").value = count;
}"""
MOVE = """type => {
    const { pos } = app.graph.nodes.find(node => node.type === type);
    pos[0] += 40;
    app.extensionManager.workflow.activeWorkflow.changeTracker.captureCanvasState();
    return [pos[0] - 40, pos[0]];
}"""
STANDS_AT = """([type, place]) =>
    Math.abs(app.graph.nodes.find(node => node.type === type)?.pos[0] - place) < 1"""


def steps(count: int, id: str | None = None) -> Json:
    """The example in so many steps; with another id it is another workflow."""
    short = brief()
    (sampler,) = (node for node in short["nodes"] if node["type"] == "KSampler")
    sampler["widgets_values"][2] = count
    return {**short, "id": id or short["id"]}


def says(page: Any, text: str, kind: str = RECORDER) -> None:
    """Wait until this stands on the node of this type."""
    page.wait_for_function(SAYS, arg=[kind, text], timeout=SOON)


def test_a_run_behind_another_tab_leaves_its_report(own: Ui) -> None:
    """On the nodes of its own tab, also when it comes from the cache later; on none of the tab on show."""
    own.load(steps(1), "classic")
    own.run()
    says(own.page, "1 of 1 noise levels")
    own.page.evaluate(SET_STEPS, 8)
    own.page.evaluate(START_RUN)
    own.load(steps(1, "6a1f0c52-93c7-4d0e-8a4b-0f4c7d5e2b19"), "classic")
    own.page.evaluate("window.ended")
    own.page.evaluate(TWO_FRAMES)
    elsewhere = own.page.evaluate(TEXT, RECORDER)
    tabs = own.page.locator(TABS)
    tabs.nth(tabs.count() - 2).click()
    says(own.page, "8 of 8 noise levels")
    own.run()
    assert "8 of 8 noise levels" in own.page.evaluate(TEXT, RECORDER)
    assert elsewhere == ""


@pytest.mark.parametrize("renderer", RENDERERS)
def test_undo_and_redo_leave_reports(renderer: str, own: Ui) -> None:
    """Both draw all nodes anew."""
    own.load(steps(1), renderer)
    own.run()
    says(own.page, "1 of 1 noise levels")
    places = own.page.evaluate(MOVE, RECORDER)
    for keys, place in zip(("Control+z", "Control+y"), places, strict=True):
        own.page.keyboard.press(keys)
        own.page.wait_for_function(STANDS_AT, arg=[RECORDER, place], timeout=SOON)
        says(own.page, "1 of 1 noise levels")
    own.page.get_by_text("AttentionRecorder: 7 of 7 layers").locator("visible=true").wait_for(timeout=SOON)
