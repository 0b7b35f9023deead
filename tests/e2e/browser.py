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

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
SHOTS = Path(__file__).resolve().parents[2] / "output" / "viewer"
RENDERERS = {"classic": False, "vue": True}
START = 120_000  # milliseconds, on a busy machine
TWO_FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
RUN_WORKFLOW = """() => new Promise((done, failed) => {
    app.api.addEventListener("execution_success", () => done(), { once: true });
    const fail = event => failed(event.detail.exception_message);
    app.api.addEventListener("execution_error", fail, { once: true });
    app.queuePrompt(0);
})"""
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
    """The web UI in one page, with a workflow in it."""

    page: Any
    asked: list[str]  # the server's files that the page asked for, in order

    @classmethod
    def open(cls, browser: Any, address: str, workflow: Json, renderer: str, **context: Any) -> Ui:
        """Load the workflow in a fresh profile, past the templates that greet a new user."""
        page = browser.new_context(viewport={"width": 1400, "height": 1300}, **context).new_page()
        ui = cls(page, [])
        page.on("request", lambda request: "/view?" in request.url and ui.asked.append(request.url))
        page.goto(address)
        ui.wait_until_ready()
        ui.set("Comfy.VueNodes.Enabled", RENDERERS[renderer])
        page.evaluate("workflow => app.loadGraphData(workflow)", workflow)
        ui.look()
        return ui

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

    def look(self, scale: float = 1.0) -> None:
        """Move the canvas so that the first viewer lies in the upper left, at this zoom."""
        self.page.evaluate(
            """scale => {
                const node = app.graph.nodes.find(node => node.type === "AttentionMapViewer");
                const view = app.canvas.ds;
                view.scale = scale;
                view.offset[0] = 80 / scale - node.pos[0];
                view.offset[1] = 110 / scale - node.pos[1];
                app.canvas.setDirty(true, true);
            }""",
            scale,
        )
        self.page.wait_for_timeout(500)

    def viewers(self) -> list[Viewer]:
        count = self.page.evaluate('app.graph.nodes.filter(x => x.type === "AttentionMapViewer").length')
        return [Viewer(self, self.page.locator(".amv").nth(index)) for index in range(count)]

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
        """Keep a screenshot for people to look at."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png")


@dataclass
class Viewer:
    """The panel in one node."""

    ui: Ui
    panel: Any

    @property
    def chips(self) -> Any:
        return self.panel.locator(".amv-chip")

    def chip(self, word: str) -> Any:
        return self.chips.get_by_text(word, exact=True)

    def slider(self, name: str) -> Any:
        return self.panel.get_by_role("slider", name=name)

    @property
    def stage(self) -> Any:
        return self.panel.locator(".amv-stage")

    def text(self, part: str) -> str:
        self.settle()
        return str(self.panel.locator(f".amv-{part}").inner_text()).replace("\N{MULTIPLICATION SIGN}", "x")

    def ranking(self) -> list[tuple[str, str]]:
        """Words and probabilities beside the crosshair, as texts."""
        self.settle()
        rows = self.panel.locator(".amv-ranking div").all()
        return [(row.locator("span").inner_text(), row.locator("b").inner_text()) for row in rows]

    def pressed(self) -> list[str]:
        self.settle()
        return list(self.panel.locator('.amv-chip[aria-pressed="true"]').all_inner_texts())

    def settle(self) -> None:
        """Wait until what was done last is painted, with the files that it takes."""
        self.ui.page.evaluate(TWO_FRAMES)
        while self.panel.get_attribute("aria-busy") == "true":
            self.ui.page.wait_for_timeout(20)

    def pixels(self) -> npt.NDArray[np.int64]:
        """What the canvas shows, (height, width, RGBA)."""
        self.settle()
        url = self.stage.locator("canvas").evaluate("canvas => canvas.toDataURL()")
        return np.asarray(
            Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGBA"), np.int64
        )

    def point_at(self, across: float, down: float, click: bool = False) -> None:
        """Move the mouse to a point of the picture, given in fractions of a square picture's sides."""
        box = self.stage.bounding_box()
        side = min(box["width"], box["height"])
        left, top = box["x"] + (box["width"] - side) / 2, box["y"] + (box["height"] - side) / 2
        place = (left + across * side, top + down * side)
        (self.ui.page.mouse.click if click else self.ui.page.mouse.move)(*place)

    def leave(self) -> None:
        """Take the mouse and the focus away."""
        self.ui.page.mouse.move(2, 600)
        self.ui.page.evaluate("document.activeElement?.blur()")

    def hottest(self, away_from: tuple[float, float] | None = None) -> tuple[float, float]:
        """Where the map shown over a square picture is highest, in fractions.

        It is the brightest place under a gray map that covers all. A crosshair is bright as well: nothing on
        its lines counts.
        """
        self.panel.get_by_label("Colour map").select_option("gray")
        self.panel.get_by_label("Opacity").fill("1")
        light = self.pixels()[..., :3].sum(-1)
        side = min(light.shape)
        top, left = ((whole - side) // 2 for whole in light.shape)
        light = light[top : top + side, left : left + side]
        if away_from is not None:
            column, row, near = (int(x * side) for x in (*away_from, 0.04))
            light[:, column - near : column + near] = light[row - near : row + near] = 0
        row, column = divmod(int(light.argmax()), side)
        return (column + 0.5) / side, (row + 0.5) / side


def workflow(path: Path) -> Json:
    """An example, as it is saved."""
    read: Json = json.loads(path.read_text(encoding="utf-8"))
    return read
