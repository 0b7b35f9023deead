"""Every example workflow opens as a user would have it."""

from collections.abc import Iterator
from typing import Any

import pytest

from .browser import EXAMPLE, RENDERERS, Ui, workflow
from .layout import drawn, faults, overlaps, tell

CLOSE_OTHERS = """async () => {
    const { workflow } = app.extensionManager;
    const others = workflow.openWorkflows.filter(other => other !== workflow.activeWorkflow);
    for (const other of others) await workflow.closeWorkflow(other);
}"""  # each tab more makes the next one slower
EXAMPLES = {path.stem: path for path in sorted(EXAMPLE.parent.glob("*.json"))}
REPORT = (
    "PlugAndPlay: 7 of 7 layers, 20 of 20 noise levels, 4 images. The guide gave features at 16 noise "
    "levels, and queries and keys at 10, seen under a prompt of its own. Left alone at 4 noise levels: "
    "there nothing is taken.\n"
    "Note: the inversion was made with another prompt, and its noise levels are not those of this run; "
    "connect all outputs of the node to the sampler."
)  # a long one, with a remark


@pytest.fixture(scope="module")
def reporting(object_info: dict[str, Any]) -> list[str]:
    """The nodes that show what a run did."""
    return [
        kind
        for kind, info in object_info.items()
        if "attention-control" in info["python_module"] and "unique_id" in info["input"].get("hidden", {})
    ]


@pytest.fixture(scope="module")
def small(own: Ui) -> Iterator[Ui]:
    """A page that shows little of the canvas: nodes have their sizes where nobody sees them, too."""
    before = own.page.viewport_size
    own.page.set_viewport_size({"width": 500, "height": 400})
    yield own
    own.page.set_viewport_size(before)


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("renderer", RENDERERS)  # changed once: each change draws all nodes anew
def test_an_example_opens_tidy_and_stays_so(
    name: str, renderer: str, small: Ui, reporting: list[str]
) -> None:
    """In either renderer: no error, no node over another, none too small for what it shows; and no node over
    another when a run has left its reports."""
    small.load(workflow(EXAMPLES[name]), renderer)
    small.page.evaluate(CLOSE_OTHERS)
    assert list(faults(small.page)) == []
    tell(small.page, reporting, REPORT)
    assert list(overlaps(drawn(small.page))) == []
