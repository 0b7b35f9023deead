"""The host's canvas for boxes in its node *Create Bounding Boxes*, as a user meets it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CANVAS = 512  # pixels of the node's canvas across and down
Box = tuple[int, int, int, int]  # left, top, right, bottom


@dataclass
class BoxEditor:
    """The canvas in the one such node of a workflow; only the newer renderer of nodes has it."""

    page: Any

    @property
    def panel(self) -> Any:
        return self.page.get_by_test_id("bounding-boxes")

    def draw(self, box: Box) -> None:
        """Press at one corner, drag to the other, let go."""
        shown = self.panel.locator("canvas").bounding_box()
        (left, top), (right, bottom) = (
            (shown["x"] + x / CANVAS * shown["width"], shown["y"] + y / CANVAS * shown["height"])
            for x, y in (box[:2], box[2:])
        )
        mouse = self.page.mouse
        mouse.move(left, top)
        mouse.down()
        mouse.move((left + right) / 2, (top + bottom) / 2)
        mouse.move(right, bottom)
        mouse.up()

    def describe(self, phrase: str) -> None:
        """Type what is in the box drawn last."""
        field = self.panel.get_by_role("textbox")
        field.click()
        field.press_sequentially(phrase)

    def snap(self, on: bool) -> None:
        """Whether corners keep to the grid of dots."""
        button = self.panel.get_by_role("button", name="Grid")
        if (button.get_attribute("aria-pressed") == "true") != on:
            button.click()
