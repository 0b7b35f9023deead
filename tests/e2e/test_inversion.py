"""A picture inverted, reconstructed, sampled on, saved and loaded, through a real server."""

import asyncio
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

from failures import Failure
from host_client import Client
from host_server import Server
from pack import load_pack

load_pack()

from attention_control.attention_patches.inversion.inversion_files import load_inversion  # noqa: E402
from attention_control.demo_model.architecture import CHANNELS  # noqa: E402

STEPS = 10
Prompt = dict[str, dict[str, Any]]


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    """One node of a prompt; a link is the number of a node and of its output."""
    return {"class_type": kind, "inputs": inputs}


def walking(method: str, prefix: str) -> Prompt:
    """Invert the example's drawing; reconstruct it, and sample on from the noisiest state."""
    settings = {"scheduler": "ddim_uniform", "steps": STEPS, "cfg": 1.0}
    texts = {"model": ["1", 0], "positive": ["2", 0]}
    sampler = {"sampler_name": "euler", "start_at_step": 0, "end_at_step": STEPS}
    return {
        "1": node("LoadDemoModel"),
        "2": node("CLIPTextEncode", clip=["1", 1], text="a red cat and a blue dog on the beach"),
        "3": node("LoadExamplePicture", picture="example"),
        "4": node("VAEEncode", pixels=["3", 0], vae=["1", 2]),
        "5": node("InvertLatent", **texts, latent=["4", 0], method=method, seed=7, **settings),
        "6": node("SaveInversion", inversion=["5", 0], filename_prefix=prefix),
        "7": node("ReconstructLatent", **texts, inversion=["5", 0], start_percent=0.0, cfg=1.0),
        "8": node("VAEDecode", samples=["7", 0], vae=["1", 2]),
        "9": node("SaveImage", images=["8", 0], filename_prefix=f"{prefix}_again"),
        "10": node(
            "KSamplerAdvanced",
            **{**texts, **settings, **sampler, "negative": ["2", 0], "latent_image": ["5", 1]},
            **{"add_noise": "disable", "noise_seed": 1, "return_with_leftover_noise": "disable"},
        ),
        "11": node("VAEDecode", samples=["10", 0], vae=["1", 2]),
        "12": node("SaveImage", images=["11", 0], filename_prefix=f"{prefix}_sampled"),
        "13": node("VAEDecode", samples=["4", 0], vae=["1", 2]),
        "14": node("SaveImage", images=["13", 0], filename_prefix=f"{prefix}_truth"),
        "15": node("PreviewAny", source=["7", 1]),
    }


def run(server: Server, prompt: Prompt) -> None:

    async def queue() -> None:
        async with Client(server.address) as client:
            await client.run(prompt, lambda done, running: None)

    asyncio.run(queue())


@pytest.fixture(scope="module")
def walked(server: Server) -> Callable[[str], str]:
    """`walked("ddim")`: the prefix of what a walk with this method left in the output folder."""

    @cache
    def walk(method: str) -> str:
        prefix = f"walk/{method.split()[0]}"
        run(server, walking(method, prefix))
        return prefix

    return walk


def picture(server: Server, prefix: str) -> Any:
    (path,) = (server.base / "output").glob(f"{prefix}_*.png")
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.float32)


def content(path: Path) -> tuple[dict[str, str], dict[str, bytes]]:
    """Metadata and tensors; the bytes of two equal files differ, as the library orders metadata at random."""
    with safe_open(path, "np") as file:
        return file.metadata(), {name: file.get_tensor(name).tobytes() for name in file.keys()}  # noqa: SIM118


@pytest.mark.parametrize("method", ["ddim", "edit friendly ddpm"])
def test_inversion_leads_back(server: Server, method: str, walked: Callable[[str], str]) -> None:
    """The reconstruction is the picture; so is what a host sampler makes of DDIM's noise, but not of the
    other's; and the inversion lies in a file."""
    prefix = walked(method)
    truth, again = picture(server, f"{prefix}_truth"), picture(server, f"{prefix}_again")
    sampled = picture(server, f"{prefix}_sampled")
    near = 10.0 if method == "ddim" else 0.1  # of 255; ten steps are few for ddim
    assert np.abs(again - truth).mean() < near
    assert (np.abs(sampled - again).mean() < 0.1) == (method == "ddim")
    (path,) = (server.base / "output").glob(f"{prefix}_*.inversion.safetensors")
    inversion = load_inversion(path)
    assert (inversion.method, inversion.steps, inversion.picture.shape) == (
        method,
        STEPS,
        (1, CHANNELS, 16, 20),
    )


def test_a_loaded_inversion_is_the_same(server: Server, walked: Callable[[str], str]) -> None:
    """A file is found by its name in another graph; another name is refused before anything runs."""
    (path,) = (server.base / "output").glob(f"{walked('ddim')}_*.inversion.safetensors")
    listed = f"walk/{path.name} [output]"
    copying = {
        "1": node("LoadInversion", file=listed),
        "2": node("SaveInversion", inversion=["1", 0], filename_prefix="kept/two"),
    }
    run(server, copying)
    (copy,) = (server.base / "output" / "kept").glob("two_*.inversion.safetensors")
    assert content(copy) == content(path)
    copying["1"]["inputs"]["file"] = "kept/none.inversion.safetensors [output]"
    with pytest.raises(Failure, match=r"none\.inversion"):
        run(server, copying)
