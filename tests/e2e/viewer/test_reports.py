"""What a run did is to be read on its nodes: from inside subgraphs, behind other tabs, after an undo."""

from typing import Any

import pytest

from pack import ROOT

from .browser import RENDERERS, RUN_WORKFLOW, SOON, Json, Ui, brief, workflow
from .panel import TWO_FRAMES

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
WRAP = """type => {
    const { node } = app.graph.convertToSubgraph(new Set([app.graph.nodes.find(node => node.type === type)]));
    node.title = "Wrapped";
}"""
OPEN = """() => {
    const outer = app.graph.nodes.find(node => node.subgraph);
    app.canvas.openSubgraph(outer.subgraph, outer);
}"""
LEAVE = "app.canvas.setGraph(app.rootGraph)"
# connects the sockets of a blueprint, and makes it small and short
CONNECT = """() => {
    const outer = app.graph.nodes.find(node => node.subgraph);
    const types = ["LoadDemoModel", "LoadExamplePicture", "PreviewImage"];
    const [loader, picture, shown] = types.map((type, place) => {
        const node = LiteGraph.createNode(type);
        node.pos = [outer.pos[0] + [-300, -300, 500][place], outer.pos[1] + 400 * (place % 2)];
        app.graph.add(node);
        return node;
    });
    const from = { model: [loader, 0], clip: [loader, 1], vae: [loader, 2], picture: [picture, 0] };
    for (const [name, [node, output]] of Object.entries(from))
        node.connect(output, outer, outer.inputs.findIndex(input => input.name === name));
    outer.connect(0, shown, 0);
    const set = (node, values) => {
        for (const widget of node.widgets ?? [])
            if (widget.name in values) widget.value = values[widget.name];
    };
    set(outer, { width: 128, height: 128 });
    for (const node of outer.subgraph.nodes) set(node, { steps: 2 });
}"""
REMARK = """([type, text]) => {
    const outer = app.graph.nodes.find(node => node.subgraph);
    const inner = outer.subgraph.nodes.find(node => node.type === type);
    app.api.dispatchCustomEvent("progress_text", { nodeId: `${outer.id}:${inner.id}`, text });
}"""
SET_STEPS = """count => {
    const sampler = app.graph.nodes.find(node => node.type === "KSampler");
    sampler.widgets.find(widget => widget.name === "steps").value = count;
}"""
# behind a step of its own for what the run has changed: the room for its report
MOVE = """type => {
    const { pos } = app.graph.nodes.find(node => node.type === type);
    const { changeTracker } = app.extensionManager.workflow.activeWorkflow;
    changeTracker.captureCanvasState();
    pos[0] += 40;
    changeTracker.captureCanvasState();
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


def test_a_report_from_inside_a_subgraph_is_on_its_node(own: Ui) -> None:
    """And on the node inside, when it is opened; in both renderers; a saved workflow keeps none of it."""
    own.load(steps(1), "classic")
    own.page.evaluate(WRAP, RECORDER)
    widgets = "app.graph.nodes.find(node => node.subgraph).serialize().widgets_values"
    before = own.page.evaluate(widgets)
    own.run()
    report = own.page.get_by_text("AttentionRecorder: 7 of 7 layers, 1 of 1 noise levels").locator(
        "visible=true"
    )
    for renderer in ("classic", "vue"):
        own.set("Comfy.VueNodes.Enabled", renderer == "vue")
        report.wait_for(timeout=SOON)
        own.picture(f"{renderer}-report-on-a-subgraph")
        own.page.evaluate(OPEN)
        says(own.page, "1 of 1 noise levels")
        own.picture(f"{renderer}-report-in-a-subgraph")
        own.page.evaluate(LEAVE)
    report.wait_for(timeout=SOON)
    assert own.page.evaluate(widgets) == before


def test_a_blueprint_shows_what_its_nodes_report(own: Ui) -> None:
    """All of them, each with its title in front, where they are several."""
    own.load(workflow(ROOT / "subgraphs" / "Style of my picture.json"), "vue")
    own.page.evaluate(CONNECT)
    own.page.evaluate("app.canvas.ds.scale = 1; app.canvas.ds.offset = [400, 200]")
    own.run()
    report = "StyleAligned: 7 of 7 layers, 2 of 2 noise levels"
    own.page.get_by_text(report).locator("visible=true").wait_for(timeout=SOON)
    own.page.evaluate(REMARK, ["InvertLatent", "A remark."])
    element = own.page.get_by_text("A remark.").locator("visible=true")
    element.wait_for(timeout=SOON)
    first, second = element.inner_text().splitlines()
    assert first.startswith(f"Style Aligned Batch: {report}") and second == "Invert Latent: A remark."
    own.picture("vue-reports-on-a-blueprint")


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
    says(own.page, "8 of 8 noise levels")
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
