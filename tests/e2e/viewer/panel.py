"""The viewer in one node, as a user meets it: by its texts, its controls and its pixels."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

TWO_FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


@dataclass
class Viewer:
    """The panel in one node."""

    page: Any
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
        self.page.evaluate(TWO_FRAMES)
        while self.panel.get_attribute("aria-busy") == "true":
            self.page.wait_for_timeout(20)

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
        (self.page.mouse.click if click else self.page.mouse.move)(*place)

    def leave(self) -> None:
        """Take the mouse and the focus away."""
        self.page.mouse.move(2, 600)
        self.page.evaluate("document.activeElement?.blur()")

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
            light[:, max(column - near, 0) : column + near] = light[max(row - near, 0) : row + near] = 0
        row, column = divmod(int(light.argmax()), side)
        return (column + 0.5) / side, (row + 0.5) / side
