"""Where the nodes of a graph lie on the canvas, as the web UI draws them, and whether they are well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

TITLE = 30  # pixels of the canvas above the place of a node
STILL = """async () => {
    const look = () => JSON.stringify(app.graph.nodes.map(node => [node.id, ...node.size]));
    const frame = () => new Promise(requestAnimationFrame);
    for (let before = "", same = 0; same < 6; ) {
        await frame();
        const now = look();
        same = now === before ? same + 1 : 0;
        before = now;
    }
}"""
NODES = """() => app.graph.nodes.map(node => {
    const vue = LiteGraph.vueNodesMode;
    const element = vue && document.querySelector(`[data-node-id="${node.id}"]`);
    const drawn = element && element.getBoundingClientRect();
    const needs = vue ? [drawn.width, drawn.height].map(side => side / app.canvas.ds.scale)
        : node.computeSize().map((side, axis) => side + axis * TITLE);
    return {
        kind: node.type, title: node.title, error: Boolean(node.has_errors),
        x: node.pos[0], y: node.pos[1] - TITLE, size: [node.size[0], node.size[1] + TITLE], needs,
    };
})""".replace("TITLE", str(TITLE))
TELL = """([kinds, text]) => {
    for (const node of app.graph.nodes.filter(node => kinds.includes(node.type)))
        app.api.dispatchCustomEvent("progress_text", { nodeId: String(node.id), text });
}"""
COMPLAINTS = "[data-testid*=error]:visible, .p-dialog:visible, .p-toast-message-error:visible"


@dataclass(frozen=True)
class Drawn:
    """A node's place in pixels of the canvas, its title included, and whether it is marked as an error."""

    kind: str
    title: str
    x: float
    y: float
    size: tuple[float, float]
    needs: tuple[float, float]  # for all that it has to show
    error: bool

    @property
    def right(self) -> float:
        return self.x + max(self.size[0], self.needs[0])

    @property
    def bottom(self) -> float:
        return self.y + max(self.size[1], self.needs[1])

    def covers(self, other: Drawn) -> bool:
        return (
            self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom
        )


def drawn(page: Any) -> list[Drawn]:
    """All nodes, once they have found their sizes."""
    page.evaluate(STILL)
    return [Drawn(**node) for node in page.evaluate(NODES)]


def faults(page: Any) -> Iterator[str]:
    """What a user would see at once: errors, nodes that lie over each other or are too small."""
    nodes = drawn(page)
    for node in nodes:
        if node.error:
            yield f"{node.title!r} is marked as an error"
        if node.needs[1] > node.size[1] + 1:
            yield f"{node.title!r} is {node.size[1]:.0f} high, and needs {node.needs[1]:.0f}"
    yield from overlaps(nodes)
    for message in page.locator(COMPLAINTS).all_inner_texts():
        yield f"the page says: {message[:200]}"


def overlaps(nodes: list[Drawn]) -> Iterator[str]:
    """Nodes that lie over each other."""
    for one, other in combinations(nodes, 2):
        if one.covers(other):
            yield f"{one.title!r} and {other.title!r} lie over each other"


def tell(page: Any, kinds: Sequence[str], text: str) -> None:
    """Put a text on all nodes of these kinds, as the server does after a run."""
    page.evaluate(TELL, [list(kinds), text])
