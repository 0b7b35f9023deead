"""What comes when, and what stays: files, tabs, several viewers."""

import copy
from typing import Any

import pytest

from workflow_graph import BYPASSED

from .browser import RUN_WORKFLOW, SOON, START, Json, Ui, brief


def viewer_in(workflow: Json) -> str:
    """The number of its viewer."""
    return next(str(node["id"]) for node in workflow["nodes"] if node["type"] == "AttentionMapViewer")


def test_files_come_when_they_are_looked_at(own: Ui) -> None:
    """At rest the picture alone is fetched; a word brings one atlas, a second word none, a patch one more."""
    own.show(brief(), "classic")
    own.run()
    sent = own.payload()["images"][0]

    def atlases() -> list[str]:
        ours = [entry["file"]["filename"] for entry in (*sent["cross"], *sent["self"])]
        own.viewer.settle()
        return [name for name in ours for url in own.asked if name in url]

    own.viewer.leave()
    assert atlases() == []
    own.viewer.chip("cat").hover()
    assert atlases() == [sent["cross"][0]["file"]["filename"]]
    own.viewer.chip("dog").hover()
    assert len(atlases()) == 1
    own.viewer.point_at(0.5, 0.5)
    assert len(atlases()) == 2


def test_what_is_on_its_way_is_neither_saved_nor_played(own: Ui) -> None:
    """A picture is saved when its map has come; a run that ends while the times are played ends the play."""
    own.show(brief(), "classic")
    own.run()
    viewer, held, saved = own.viewer, list[Any](), list[Any]()
    own.page.route("**/view?**", lambda route: held.append(route))
    own.page.on("download", lambda download: saved.append(download))
    viewer.chip("cat").click()
    viewer.panel.get_by_role("button", name="Save").click()
    own.page.wait_for_timeout(300)
    early = len(saved)
    for route in held:
        route.continue_()
    own.page.unroute("**/view?**")
    viewer.settle()
    own.page.wait_for_timeout(300)
    assert held and (early, len(saved)) == (0, 1)
    viewer.panel.get_by_role("button", name="Play").click()
    own.page.wait_for_function("x => x.value >= 2", arg=viewer.slider("time").element_handle())
    sent = own.payload()
    shorter = {**sent, "slices": sent["slices"][:1]}
    here = own.page.evaluate("app.rootGraph.id")
    own.hear(here, viewer_in(brief()), {"attention_maps": [shorter]})
    assert viewer.text("place").startswith("t mean")
    assert viewer.panel.get_by_role("button", name="Play").count() == 1


def test_a_bypassed_recorder_is_told(own: Ui) -> None:
    """The picture is made, nothing turns red, and the viewer says why it is empty; then all is back."""
    own.show(brief(), "classic")
    mode = "mode => { app.graph.nodes.find(x => x.type === 'AttentionRecorder').mode = mode; }"
    own.page.evaluate(mode, BYPASSED)
    own.page.evaluate(RUN_WORKFLOW)
    assert "Recorder is bypassed" in own.viewer.text("message")
    assert own.page.evaluate("app.lastNodeErrors ?? null") in (None, {})
    own.picture("classic-bypassed")
    own.page.evaluate(mode, 0)
    own.run()


def test_tab_brings_the_maps_back(own: Ui) -> None:
    """Another workflow's tab and back: the viewer shows what it showed."""
    own.show(brief(), "classic")
    own.run()
    tabs = own.page.locator(".workflow-tabs .p-togglebutton")
    own.page.evaluate("app.extensionManager.command.execute('Comfy.NewBlankWorkflow')")
    own.page.locator(".amv:visible").first.wait_for(state="hidden")
    tabs.nth(tabs.count() - 2).click()
    own.viewer.chips.first.wait_for(timeout=20_000)
    assert own.viewer.pixels()[..., 3].any()


def test_maps_of_another_tab_do_not_come_here(own: Ui) -> None:
    """The example in two tabs: what the one gives while the other is on show waits for its own tab."""
    one, other = ({**brief(), "id": f"{number}0000000-0000-4000-8000-000000000000"} for number in (1, 2))
    own.show(one, "classic")
    own.run()
    output = own.payload()
    own.show(other, "classic")
    own.hear(one["id"], viewer_in(one), {"attention_maps": [output]})
    assert "Run the workflow" in own.viewer.text("message")
    tabs = own.page.locator(".workflow-tabs .p-togglebutton")
    tabs.nth(tabs.count() - 2).click()
    own.viewer.chips.first.wait_for(timeout=20_000)
    tabs.nth(tabs.count() - 1).click()
    own.page.wait_for_timeout(1500)
    assert "Run the workflow" in own.viewer.text("message")


def test_two_viewers_stay_apart(own: Ui) -> None:
    """What is pinned in one does not show in the other."""
    two = brief()
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
    own.show(two, "vue")
    own.run()
    one, other = own.viewers()
    one.chip("cat").click()
    other.chip("dog").click()
    other.slider("time").press("ArrowRight")
    other.leave()
    assert (one.pressed(), other.pressed()) == (["cat"], ["dog"])
    assert one.text("place") != other.text("place")
    own.picture("vue-two-viewers")


def test_another_tab_has_a_saved_workflow_without_its_maps(own: Ui) -> None:
    """A kind word stands there; a run brings the maps back, with the viewer's settings. All comes from
    the cache then, so nothing is said once more; yet a node shows its report."""
    report = """() => app.graph.nodes.find(node => node.type === "AttentionRecorder").widgets
        .find(widget => widget.name === "$$node-text-preview")?.value ?? ''"""
    own.show(brief(seed=14), "classic")
    assert "Run the workflow" in own.viewer.text("message")
    own.run()
    own.viewer.panel.get_by_label("Opacity").fill("0.5")
    own.page.wait_for_function(f'({report})().startsWith("AttentionRecorder: 7 of 7")', timeout=SOON)
    said, saved = own.page.evaluate(report), own.page.evaluate("app.graph.serialize()")
    other = Ui(own.page.context.new_page(), [])
    other.page.set_default_timeout(START)
    other.page.goto(own.page.url)
    other.wait_until_ready()
    other.show(saved, "classic")
    assert "not saved with a workflow" in other.viewer.text("message")
    assert other.page.evaluate(report) == ""
    other.picture("classic-another-tab")
    other.run()
    assert other.viewer.panel.get_by_label("Opacity").input_value() == "0.5"
    other.page.wait_for_function(f"said => ({report})() === said", arg=said, timeout=SOON)
    other.page.close()


@pytest.mark.parametrize("end", ["execution_error", "execution_interrupted"])
def test_a_run_that_does_not_succeed_keeps_no_report(end: str, own: Ui) -> None:
    """What a node said last is none then, nor is what it said before; and a report is kept at the end."""
    own.show(brief(), "classic")
    kept = own.page.evaluate(
        """async end => {
            const { id } = app.graph.nodes.find(node => node.type === "AttentionRecorder");
            const tell = (name, detail) => app.api.dispatchEvent(new CustomEvent(name, { detail }));
            const report = async () => {
                await new Promise(done => setTimeout(done));
                return JSON.parse(localStorage.getItem("AttentionControl.Reports") ?? "{}")
                    [`${app.rootGraph.id}/${id}`] ?? null;
            };
            const run = async (texts, end) => {
                for (const text of texts) tell("progress_text", { nodeId: String(id), text });
                const before = await report();
                tell(end, {});
                return [before, await report()];
            };
            const well = await run(["Step 1", "A report."], "execution_success");
            return [...well, ...await run(["Step 1"], end)];
        }""",
        end,
    )
    assert kept[1:] == ["A report.", "A report.", None]
    assert kept[0] != "A report."
