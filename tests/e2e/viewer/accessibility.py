"""What axe-core has to say of a part of the page, in the host's light theme and in its dark one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .browser import Ui

ALONE = """([part, type]) => {
    const shown = document.querySelector(part);
    for (let within = shown; within !== document.body; within = within.parentElement)
        for (const beside of within.parentElement.children)
            if (beside !== within) beside.classList.add("shut");
    const node = app.graph.nodes.find(node => node.type === type);
    const ground = LiteGraph.vueNodesMode ? "" : `.dom-widget { background: ${node.renderingBgColor}; }`;
    const sheet = document.createElement("style");
    sheet.id = "alone";
    sheet.textContent = ground + " .shut, .shut * { visibility: hidden !important; }";
    document.head.append(sheet);
}"""  # axe finds no ground where other things lie over a part or under it, as the classic canvas
RUN = """async part => {
    const rules = { "target-size": { enabled: true } };
    const { violations, incomplete } = await axe.run(part, { rules });
    document.querySelector("#alone").remove();
    document.querySelectorAll(".shut").forEach(element => element.classList.remove("shut"));
    const beyond = ["shortTextContent", "bgGradient"]; // digits; bars, which have a test
    const known = node => node.any.some(check => beyond.includes(check.data?.messageKey));
    const unsure = incomplete.filter(rule => rule.id === "color-contrast")
        .map(rule => ({ ...rule, nodes: rule.nodes.filter(node => !known(node)) }));
    return [...violations, ...unsure].filter(rule => ["serious", "critical"].includes(rule.impact))
        .flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.target}: ${node.failureSummary}`));
}"""


def complaints(ui: Ui, axe: str, part: str, node: str) -> Iterator[str]:
    """What shuts people out of a part (a selector) of a node of this type, or may do so by its colours; `axe`
    is the checker's script."""
    ui.page.evaluate(axe)
    for theme in ("light", "dark"):  # the dark one is the host's own, and stays for other tests
        ui.set("Comfy.ColorPalette", theme)
        ui.look(at=node)
        ui.page.evaluate(ALONE, [part, node])
        found: list[Any] = ui.page.evaluate(RUN, part)
        yield from (f"{theme}: {complaint}" for complaint in found)
