"""The examples that take the style from a picture, and workflows saved before that was possible."""

import asyncio
from functools import cache
from typing import Any

import numpy as np
import pytest

from host_server import Server
from ui_workflow import to_prompt

from .runs import EXAMPLES, FEW_STEPS, IN_ITS_STYLE, Example, Pictures, pictures, read, shows_something


def with_the_picture_decoded(workflow: dict[str, Any]) -> dict[str, Any]:
    """The workflow, and what the VAE makes of the latent that is inverted, saved as "Back from the VAE"."""
    nodes, links = workflow["nodes"], workflow["links"]
    (encoder,) = [node for node in nodes if node["type"] == "VAEEncode"]
    (vae,) = [link for link in links if link[3] == encoder["id"] and link[5] == "VAE"]
    links += [[901, encoder["id"], 0, 900, 0, "LATENT"], [902, *vae[1:3], 900, 1, "VAE"]]
    links += [[903, 900, 0, 901, 0, "IMAGE"]]
    decoder = [
        {"name": "samples", "type": "LATENT", "link": 901},
        {"name": "vae", "type": "VAE", "link": 902},
    ]
    save = {"inputs": [{"name": "images", "type": "IMAGE", "link": 903}], "widgets_values": ["back"]}
    nodes += [
        {"id": 900, "type": "VAEDecode", "inputs": decoder, "outputs": [{"type": "IMAGE"}]},
        {"id": 901, "type": "SaveImage", "title": "Back from the VAE", **save},
    ]
    return workflow


@pytest.fixture(scope="module")
def sampled(server: Server) -> Example:
    """`sampled("24 Your style with a LoRA")`: the example with the picture decoded, sampled once."""

    @cache
    def run(name: str) -> Pictures:
        workflow = with_the_picture_decoded(read(EXAMPLES[name]))
        found = asyncio.run(pictures(server, workflow, steps=FEW_STEPS))
        shows_something(workflow, found)
        return found

    return run


@pytest.mark.parametrize("name", IN_ITS_STYLE)
def test_image_0_is_the_users_picture(name: str, sampled: Example) -> None:
    """It comes out as the VAE gives it back, beside a ControlNet and a LoRA too; the others are new."""
    found = sampled(name)
    (given,), (first, *others) = found["Back from the VAE"], found[IN_ITS_STYLE[name]]
    off = [int(np.abs(picture.astype(int) - given).max()) for picture in (first, *others)]
    assert len(others) == 3
    assert off[0] <= 1 and min(off[1:]) > 20, off


def test_the_picture_changes_every_new_one(sampled: Example) -> None:
    """Beside the same seed without it."""
    found = sampled("11 A series in the style of your picture")
    pairs = zip(found["Without the picture"], found["In its style"], strict=True)
    assert all(bool((without != with_it).any()) for without, with_it in pairs)


def test_a_workflow_from_before_keeps_its_values(object_info: dict[str, Any]) -> None:
    """The example of one style for a batch was saved when StyleAlignedBatch had no `reference_picture`: what
    came later has its default."""
    workflow = read(EXAMPLES["01 One style for a whole batch"])
    (saved,) = [node for node in workflow["nodes"] if node["type"] == "StyleAlignedBatch"]
    assert "reference_picture" not in [socket["name"] for socket in saved["inputs"]]
    inputs = to_prompt(workflow, object_info)[str(saved["id"])]["inputs"]
    assert inputs == {
        "model": ["1", 0],
        "sharing": "reference",
        "adain": "queries and keys",
        "reference_index": 0,
        "score_shift": 0,
        "score_scale": 1,
        "share_group_norm": False,
        "layers": "all",
        "start_percent": 0,
        "end_percent": 1,
        "follow_masks": "each place",
        "placement": "beside",
    }
