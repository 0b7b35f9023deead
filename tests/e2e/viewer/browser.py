"""A real browser on the web UI: open it, load a workflow, run it, look at the viewer in its node."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from .panel import Viewer

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
SHOTS = os.environ.get("ATTENTION_CONTROL_SHOTS")  # the folder for screenshots, if anybody wants to see them
EXAMPLE = Path(__file__).resolve().parents[3] / "example_workflows" / "02 Where does the model look.json"
CELLS = 16  # the finest grid of the demo model on its pictures
RENDERERS = {"classic": False, "vue": True}
VIEWER = "AttentionMapViewer"
once = pytest.mark.parametrize("ran", ["classic"], indirect=True)  # for what does not hang on the renderer
START = 120_000  # milliseconds, on a busy machine
SOON = 20_000  # the same, after a run
SETTINGS = {"Comfy.TutorialCompleted": True, "Comfy.Minimap.Visible": False}  # a small map is drawn with all
STANDS = """() => new Promise(done => {
    const parts = "[data-node-id], .dom-widget";
    const places = () => Array.from(document.querySelectorAll(parts), part => part.getBoundingClientRect());
    let before = "", same = 0;
    const look = () => {
        const now = JSON.stringify(places());
        same = now === before ? same + 1 : 0;
        before = now;
        if (same < 4) requestAnimationFrame(look);
        else done();
    };
    requestAnimationFrame(look);
})"""  # what is drawn over the canvas has come to rest
RUN_WORKFLOW = """() => new Promise((done, failed) => {
    const ask = () => fetch("/queue"); // as nodes have done that are not sure whose run this is
    app.api.addEventListener("execution_success", () => ask().then(ask).then(() => done()), { once: true });
    const fail = event => failed(event.detail.exception_message);
    app.api.addEventListener("execution_error", fail, { once: true });
    app.queuePrompt(0);
})"""
TELL = """events => {
    for (const [name, detail] of events) app.api.dispatchEvent(new CustomEvent(name, { detail }));
}"""
Json = dict[str, Any]


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A headless Chromium; a named skip where it or Playwright is missing."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no Chromium here: install it (Debian: chromium), or name one in CHROMIUM")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@dataclass
class Ui:
    """The web UI in one page."""

    page: Any
    asked: list[str]  # the server's files that the page asked for since the workflow came, in order

    @classmethod
    def open(cls, browser: Any, address: str) -> Ui:
        """The web UI, where nobody is greeted, without a workflow of ours."""
        page = browser.new_context(viewport={"width": 1400, "height": 1300}).new_page()
        page.set_default_timeout(START)
        ui = cls(page, [])
        page.on("request", lambda request: "/view?" in request.url and ui.asked.append(request.url))
        for setting, value in SETTINGS.items():
            page.request.post(f"{address}/settings/{setting}", data=json.dumps(value))
        page.goto(address)
        ui.wait_until_ready()
        return ui

    def show(self, workflow: Json, renderer: str, at: str = VIEWER) -> None:
        """Load a workflow, as it is saved or for the API, and look at a node."""
        self.load(workflow, renderer)
        self.look(at=at)

    def load(self, workflow: Json, renderer: str) -> None:
        """Load a workflow, as it is saved or for the API."""
        self.page.mouse.move(2, 600)
        self.set("Comfy.VueNodes.Enabled", RENDERERS[renderer])
        load = "loadGraphData" if "nodes" in workflow else "loadApiJson"
        self.page.evaluate(f"workflow => app.{load}(workflow)", workflow)
        self.asked.clear()

    def wait_until_ready(self) -> None:
        """Return when the graph is there and no dialog lies over it."""
        self.page.wait_for_function("window.app?.extensionManager && window.app.isGraphReady", timeout=START)
        self.page.wait_for_timeout(2000)
        self.page.keyboard.press("Escape")

    def set(self, setting: str, value: Any) -> None:
        self.page.evaluate(
            "([name, value]) => app.extensionManager.setting.set(name, value)", [setting, value]
        )

    def run(self) -> None:
        """Run the workflow and wait until every viewer shows what came."""
        self.page.evaluate(RUN_WORKFLOW)
        for viewer in self.viewers():
            viewer.chips.first.wait_for()
            viewer.settle()

    def hear(self, workflow: str, node: str, output: Json) -> None:
        """What comes when a run of the workflow of this id gives a node's output at once, from the cache."""
        run = {"queue_running": [[0, "p", {}, {"extra_pnginfo": {"workflow": {"id": workflow}}}]]}
        self.page.route("**/queue", lambda route: route.fulfill(json={**run, "queue_pending": []}))
        given = {"prompt_id": "p", "node": node, "output": output}
        with self.page.expect_response("**/queue"):
            self.page.evaluate(TELL, [["execution_start", {"prompt_id": "p"}], ["executed", given]])
        self.page.wait_for_timeout(300)
        self.page.unroute("**/queue")

    def look(self, scale: float = 1.0, at: str = VIEWER) -> None:
        """Move the canvas so that the first node of this type lies in the upper left, at this zoom."""
        self.page.evaluate(
            """([scale, type]) => {
                const node = app.graph.nodes.find(node => node.type === type);
                const view = app.canvas.ds;
                view.scale = scale;
                view.offset[0] = 80 / scale - node.pos[0];
                view.offset[1] = 110 / scale - node.pos[1];
                app.canvas.setDirty(true, true);
            }""",
            [scale, at],
        )
        self.page.evaluate(STANDS)

    def viewers(self) -> list[Viewer]:
        count = self.page.evaluate('app.graph.nodes.filter(x => x.type === "AttentionMapViewer").length')
        return [Viewer(self.page, self.page.locator(".amv").nth(index)) for index in range(count)]

    @property
    def viewer(self) -> Viewer:
        return self.viewers()[0]

    def payload(self) -> Json:
        """What the first viewer's node got from the server."""
        sent: Json = self.page.evaluate(
            """() => app.nodeOutputs[app.graph.nodes.find(x => x.type === "AttentionMapViewer").id]
                .attention_maps[0]"""
        )
        return sent

    def file(self, reference: Json) -> npt.NDArray[np.uint8]:
        """A picture that the server keeps, as pixels."""
        content = self.page.evaluate(
            """async reference => {
                const answer = await fetch("/view?" + new URLSearchParams(reference));
                return btoa(Array.from(new Uint8Array(await answer.arrayBuffer()),
                    byte => String.fromCharCode(byte)).join(""));
            }""",
            reference,
        )
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))

    def picture(self, name: str) -> None:
        """Keep a screenshot for people to look at, if they do."""
        if SHOTS:
            self.page.screenshot(path=Path(SHOTS) / f"{name}.png")


def workflow(path: Path) -> Json:
    """An example, as it is saved."""
    read: Json = json.loads(path.read_text(encoding="utf-8"))
    return read


def brief(seed: int | None = None) -> Json:
    """The example in four steps, for tests to which it does not matter what the picture shows. Under a seed
    of its own nothing of it comes from the server's cache when it is run first."""
    short = workflow(EXAMPLE)
    (sampler,) = (node for node in short["nodes"] if node["type"] == "KSampler")
    sampler["widgets_values"][2] = 4
    if seed is not None:
        sampler["widgets_values"][0] = seed
    return short


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
