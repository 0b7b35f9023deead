"""The viewer on a real server: what it sends, and that another choice in it does not sample again."""

import asyncio
import io
from typing import Any

import numpy as np
from PIL import Image

from host_client import Client, Picture
from host_server import Server

Prompt = dict[str, dict[str, Any]]
TEXT = "a red cat and a blue dog"
SAMPLER, VIEWER = "6", "8"


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    """One node of a prompt; a link is the number of a node and of its output."""
    return {"class_type": kind, "inputs": inputs}


def looking(**choice: Any) -> Prompt:
    """Two pictures, wider than high, with a recorder, and a viewer with these inputs."""
    record = {
        "record": "both",
        "layers": "all",
        "self_max_tokens": 1024,
        "heads": "mean",
        "rows": "conditional",
    }
    limits = {"queries_and_keys": False, "memory_limit_mb": 500, "time_bins": 2}
    schedule = {"start_percent": 0.0, "end_percent": 1.0}
    sampling = {"steps": 2, "cfg": 4.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    shown = {
        "mode": "words",
        "words": "",
        "layer": "all",
        "time": "all",
        "threshold": 0.5,
        "colormap": "magma",
    }
    point = {"x": 0.5, "y": 0.5, "point_image": 0, "features": "self-attention", "rows": "conditional"}
    return {
        "1": node("LoadDemoModel"),
        "2": node("CLIPTextEncode", clip=["1", 1], text=TEXT),
        "3": node("CLIPTextEncode", clip=["1", 1], text=""),
        "4": node("EmptyLatentImage", width=128, height=96, batch_size=2),
        "5": node("AttentionRecorder", model=["1", 0], **record, **limits, **schedule),
        SAMPLER: node(
            "KSampler",
            **{"model": ["5", 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0]},
            **{"seed": 11, **sampling},
        ),
        "7": node("VAEDecode", samples=[SAMPLER, 0], vae=["1", 2]),
        VIEWER: node(
            "AttentionMapViewer",
            **{"maps": ["5", 1], "image": ["7", 0], "clip": ["1", 1], "prompt": TEXT},
            **{**shown, **point, **choice},
        ),
    }


async def run(client: Client, prompt: Prompt) -> tuple[set[str], dict[str, Any]]:
    """The titles of the nodes that worked, and what the viewer sent."""
    worked: set[str] = set()
    prompt_id = await client.queue(prompt)
    await client.follow(prompt_id, prompt, lambda done, running: worked.add(running))
    async with client.session.get(f"/history/{prompt_id}") as response:
        outputs = (await response.json())[prompt_id]["outputs"]
    (payload,) = outputs[VIEWER]["attention_maps"]
    return worked, payload


async def gray(client: Client, file: dict[str, str]) -> np.ndarray:
    """A file of the payload, through the address that the browser uses."""
    picture = Picture(VIEWER, file["filename"], file["subfolder"], file["type"])
    with Image.open(io.BytesIO(await client.content(picture))) as image:
        assert image.format == "PNG"
        return np.asarray(image)


def test_another_word_does_not_sample_again(server: Server) -> None:
    """The maps outlive the run: a new choice is drawn from them, an old one is sent as it was."""

    async def look() -> None:
        async with Client(server.address) as client:
            worked, first = await run(client, looking())
            assert any("KSampler" in title for title in worked)
            assert first["size"] == [128, 96]
            assert [word["text"] for word in first["words"]] == ["red", "cat", "blue", "dog"]
            assert len(first["slices"]) == 2 and len(first["layers"]) == 7 and len(first["images"]) == 2
            for picture in first["images"]:
                assert (await gray(client, picture["picture"])).shape == (96, 128, 3)
                for atlas in picture["cross"]:
                    w, h = atlas["tile"]
                    assert (await gray(client, atlas["file"])).shape == (3 * h, 4 * w)
                for atlas in picture["self"]:
                    tokens = atlas["grid"][0] * atlas["grid"][1]
                    assert (await gray(client, atlas["file"])).shape == (tokens, tokens)

            worked, other = await run(client, looking(words="dog, red cat", layer="output", time="1"))
            assert not any("KSampler" in title for title in worked)
            assert [other["words"][n]["text"] for n in other["chosen"]] == ["dog", "red cat"]
            assert (other["time"], other["layer"]) == (0, None)
            for a, b in zip(first["images"], other["images"], strict=True):
                assert (a["picture"], a["self"]) == (b["picture"], b["self"])

            worked, again = await run(client, looking())
            assert not any("KSampler" in title for title in worked)
            assert again == first

    asyncio.run(look())
