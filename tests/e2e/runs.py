"""Running workflows on a server, and what comes back as arrays."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from host_client import Client
from host_server import Server
from pack import ROOT
from run_progress import title
from ui_workflow import to_prompt

EXAMPLES = {path.stem: path for path in sorted((ROOT / "example_workflows").glob("*.json"))}
FEW_STEPS = 4
COMPARED = {
    "01 One style for a whole batch": FEW_STEPS,
    "07 Change a word, keep the picture": 10,  # in fewer another ground is not held by the source yet
    "10 Other shapes of one object": FEW_STEPS,
}
OF_A_PART = {"KSamplerAdvanced", "ReconstructLatent", "SamplerCustom"}  # nodes that go on in the middle
IN_ITS_STYLE = {
    "11 A series in the style of your picture": "In its style",
    "23 Your style with a ControlNet": "In its style, with that layout",
    "24 Your style with a LoRA": "Your subject in its style",
}
Pixels = npt.NDArray[np.uint8]
Pictures = dict[str, list[Pixels]]
Example = Callable[..., Pictures]
Script = Callable[..., str]


def steps_of(name: str) -> int:
    """How many an example is run with: more if its pictures are compared with others, or where a part of the
    schedule is to have a step of its own; else two."""
    kinds = {node["type"] for node in read(EXAMPLES[name])["nodes"]}
    return COMPARED.get(name, FEW_STEPS if kinds & OF_A_PART else 2)


def read(path: Path) -> dict[str, Any]:
    """A saved workflow."""
    workflow: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return workflow


def brief(workflow: dict[str, Any], steps: int = FEW_STEPS) -> dict[str, Any]:
    """A workflow as it is saved, with so many steps in its samplers."""
    for node in workflow["nodes"]:
        if node["type"] == "KSampler":
            node["widgets_values"][2] = steps
    return workflow


_KNOWN: dict[str, dict[str, Any]] = {}


async def nodes_of(client: Client) -> dict[str, Any]:
    """Every node that the server knows, asked for once: it takes longer to tell than many a run."""
    if client.address not in _KNOWN:
        _KNOWN[client.address] = await client.object_info()
    return _KNOWN[client.address]


async def pictures(
    server: Server, workflow: dict[str, Any], again: int = 0, steps: int | None = None
) -> Pictures:
    """Run a workflow; the pixels (H, W, 3) of the pictures, by the title of the node that saved them.

    Previews do not count. Another `again` makes the samplers run again where the server has kept their
    results. With `steps` the run is shortened.
    """
    async with Client(server.address) as client:
        prompt = with_mark(to_prompt(workflow, await nodes_of(client)), again)
        prompt = shortened(prompt, steps) if steps else prompt
        saved = await client.run(prompt, lambda done, running: None)
        found: Pictures = {}
        for picture in (picture for picture in saved if picture.type == "output"):
            with Image.open(io.BytesIO(await client.content(picture))) as image:
                assert image.format == "PNG"
                pixels = np.asarray(image.convert("RGB"))
            found.setdefault(title(prompt, picture.node), []).append(pixels)
        return found


def with_mark(prompt: dict[str, Any], mark: int) -> dict[str, Any]:
    """The prompt with an input on its samplers that only the cache of the host looks at."""
    for node in prompt.values():
        if node["class_type"] in ("KSampler", "SamplerCustom"):
            node["inputs"]["mark_of_the_tests"] = mark
    return prompt


def shortened(prompt: dict[str, Any], steps: int) -> dict[str, Any]:
    """The prompt with so many steps at most in each sampler and inversion, and one iteration of guidance."""
    for inputs in (node["inputs"] for node in prompt.values()):
        for name, most in (("steps", steps), ("guidance_iterations", 1)):
            if name in inputs:
                inputs[name] = min(inputs[name], most)
    return prompt


def shows_something(workflow: dict[str, Any], found: Pictures) -> None:
    """Assert that every saving node gave pictures, none of one colour, all of its own of one size."""
    savers = [node for node in workflow["nodes"] if node["type"] == "SaveImage"]
    assert len(found) == len(savers) > 0
    for batch in found.values():
        assert len({pixels.shape for pixels in batch}) == 1
        assert all(pixels.std() > 5 for pixels in batch)


def same(one: Pictures, other: Pictures) -> bool:
    """Whether two runs gave the same pictures, to the last bit."""
    return one.keys() == other.keys() and all(
        len(one[key]) == len(other[key])
        and all(np.array_equal(a, b) for a, b in zip(one[key], other[key], strict=True))
        for key in one
    )
