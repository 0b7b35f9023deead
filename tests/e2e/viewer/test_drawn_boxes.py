"""From boxes drawn with the mouse to a picture: Bounded Attention behind the host's own canvas."""

import json
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from .box_editor import CANVAS, Box, BoxEditor
from .browser import Json, Ui

SIZE = 128  # of the picture, in pixels
PIXELS = 2  # of the canvas: screens are coarser than it, and `elements` have 1000 parts a side
GRID = 32
DRAWN: list[tuple[str, Box]] = [
    ("red cat", (32, 96, 224, 416)),  # on the grid
    ("blue dog", (287, 101, 483, 411)),  # off it
]
LISTEN = """() => {
    window.told = [];
    const keep = ({ detail }) => window.told.push([detail.nodeId, detail.text]);
    app.api.addEventListener("progress_text", keep);
}"""


def node(kind: str, **inputs: Any) -> Json:
    return {"class_type": kind, "inputs": inputs}


def workflow() -> Json:
    """For the API: an empty canvas for boxes, Bounded Attention, a short run, and what came on the way."""
    bounded = node(
        "BoundedAttention",
        model=["model", 0],
        clip=["model", 1],
        elements=["boxes", 2],
        prompt="a red cat and a blue dog on the beach",
        boxes="",
        subjects="",
        width=CANVAS,
        height=CANVAS,
        guidance_until=0.5,
        guidance_iterations=2,
        loss_target=0.2,
        first_step_size=20.0,
        last_step_size=8.0,
        refine_from=0.5,
        refine_every=0.1,
    )
    sampler = node(
        "KSampler",
        model=["bounded", 0],
        positive=["bounded", 1],
        negative=["negative", 0],
        latent_image=["latent", 0],
        seed=1,
        steps=6,
        cfg=3.0,
        sampler_name="euler",
        scheduler="normal",
        denoise=1.0,
    )
    named = {
        "model": node("LoadDemoModel"),
        "boxes": node("CreateBoundingBoxes", width=CANVAS, height=CANVAS),
        "bounded": bounded,
        "negative": node("CLIPTextEncode", clip=["model", 1], text=""),
        "latent": node("EmptyLatentImage", width=SIZE, height=SIZE, batch_size=1),
        "sampler": sampler,
        "decoded": node("VAEDecode", samples=["sampler", 0], vae=["model", 2]),
        "picture": node("PreviewImage", images=["decoded", 0]),
        "elements": node("PreviewAny", source=["boxes", 2]),
        "report": node("PreviewAny", source=["bounded", 2]),
    }
    numbers = {name: str(number) for number, name in enumerate(named, start=1)}
    for made in named.values():
        links = {key: value for key, value in made["inputs"].items() if isinstance(value, list)}
        made["inputs"] |= {key: [numbers[name], output] for key, (name, output) in links.items()}
    return {numbers[name]: made for name, made in named.items()}


@pytest.fixture(scope="module")
def drawn(own: Ui) -> Ui:
    """Both boxes drawn and described, and the workflow run."""
    own.show(workflow(), "vue", at="CreateBoundingBoxes")
    editor = BoxEditor(own.page)
    for phrase, box in DRAWN:
        editor.snap(all(side % GRID == 0 for side in box))
        editor.draw(box)
        editor.describe(phrase)
    own.page.evaluate(LISTEN)
    own.run()
    own.picture("drawn-boxes")
    return own


def shown(ui: Ui, kind: str) -> list[Json]:
    """What the server sent to each node of this type, in order."""
    found: list[Json] = ui.page.evaluate(
        "type => app.graph.nodes.filter(x => x.type === type).map(x => app.nodeOutputs[x.id])", kind
    )
    return found


def test_drawn_boxes_arrive_with_their_descriptions(drawn: Ui) -> None:
    """The elements on the node's link are the boxes of the mouse, to a pixel or two, and what was typed."""
    elements = json.loads(shown(drawn, "PreviewAny")[0]["text"][0])
    assert [element["desc"] for element in elements] == [phrase for phrase, _ in DRAWN]
    for element, (_, box) in zip(elements, DRAWN, strict=True):
        top, left, bottom, right = (side * CANVAS / 1000 for side in element["bbox"])
        assert (left, top, right, bottom) == pytest.approx(box, abs=PIXELS)


def test_descriptions_are_the_subjects(drawn: Ui) -> None:
    """The node's own report: each phrase with its words of the prompt, and its box in percents."""
    report = shown(drawn, "PreviewAny")[1]["text"][0]
    for number, (phrase, box) in enumerate(DRAWN, start=1):
        (line,) = re.findall(rf"^{number} {phrase}: {phrase} \(token .*$", report, re.MULTILINE)
        left, right, top, bottom = map(int, re.findall(r"(\d+)%", line))
        percents = [100 * side / CANVAS for side in box]
        assert [left, top, right, bottom] == pytest.approx(percents, abs=0.5 + 100 * PIXELS / CANVAS)


def test_node_shows_its_losses_and_its_report(drawn: Ui) -> None:
    """While it runs a line for each guided step; afterwards the attention in each box stands on the node."""
    told = drawn.page.evaluate("window.told")
    (bounded,) = {node for node, _ in told}
    assert drawn.page.evaluate("id => app.graph.getNodeById(id).type", bounded) == "BoundedAttention"
    *steps, report = (text for _, text in told)
    assert [re.sub(r"\d\.\d\d", "x", step) for step in steps] == [
        f"Guided step {number}: loss x -> x" for number in (1, 2, 3)
    ]
    assert re.search(r"Attention in its box: red cat \d+ -> \d+ %, blue dog \d+ -> \d+ %", report)
    drawn.look(at="BoundedAttention")
    drawn.page.get_by_text(report).wait_for()
    drawn.picture("drawn-boxes-report")


def test_picture_has_each_subject_in_its_box(drawn: Ui) -> None:
    """Of the asked size, and redder where the red one was drawn than where the blue one was."""
    (output,) = shown(drawn, "PreviewImage")
    (reference,) = output["images"]
    picture = drawn.file(reference)[..., :3].astype(np.float64)
    assert picture.shape == (SIZE, SIZE, 3)
    red, blue = (part(picture, box).mean((0, 1)) for _, box in DRAWN)
    assert red[0] - red[2] > blue[0] - blue[2]
    drawn.look(at="PreviewImage")
    drawn.picture("drawn-boxes-picture")


def part(picture: npt.NDArray[np.float64], box: Box) -> npt.NDArray[np.float64]:
    """The pixels in a box of the canvas."""
    left, top, right, bottom = (round(side * SIZE / CANVAS) for side in box)
    return picture[top:bottom, left:right]
