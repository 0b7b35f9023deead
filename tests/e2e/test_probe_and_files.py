"""An image looked at, its maps saved and loaded, through a real server."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from failures import Failure
from host_client import Client
from host_server import Server
from pack import load_pack

load_pack()

from attention_control.attention_patches.maps.map_files import SavedMaps, load_maps  # noqa: E402

Prompt = dict[str, dict[str, Any]]


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    """One node of a prompt; a link is the number of a node and of its output."""
    return {"class_type": kind, "inputs": inputs}


def probing(prefix: str, level: float = 0.6) -> Prompt:
    """Look at a plain picture, twice as wide as high, under a prompt, and save the maps with the words."""
    text = "a red cat on the (beach:1.2)"
    return {
        "1": node("LoadDemoModel"),
        "2": node("CLIPTextEncode", clip=["1", 1], text=text),
        "3": node("EmptyImage", width=128, height=64, batch_size=1, color=0x808020),
        "4": node("VAEEncode", pixels=["3", 0], vae=["1", 2]),
        "5": node(
            "AttentionProbe",
            **{"model": ["1", 0], "positive": ["2", 0], "latent": ["4", 0], "noise_level": level, "seed": 7},
            **{"record": "both", "layers": "all", "self_max_tokens": 1024, "heads": "mean"},
            **{"queries_and_keys": False, "memory_limit_mb": 100},
        ),
        "6": node("SaveAttentionMaps", maps=["5", 0], filename_prefix=prefix, clip=["1", 1], prompt=text),
    }


def copying(file: str, prefix: str) -> Prompt:
    """Load maps and save them again."""
    return {
        "1": node("LoadAttentionMaps", file=file),
        "2": node("SaveAttentionMaps", maps=["1", 0], filename_prefix=prefix),
    }


def run(server: Server, prompt: Prompt) -> None:
    async def queue() -> None:
        async with Client(server.address) as client:
            await client.run(prompt, lambda done, running: None)

    asyncio.run(queue())


def saved(server: Server, prefix: str) -> list[tuple[Path, SavedMaps]]:
    """The files of this prefix in the server's output folder, in order."""
    paths = sorted((server.base / "output").glob(f"{prefix}_*.attention.safetensors"))
    return [(path, load_maps(path)) for path in paths]


def numbers(found: SavedMaps) -> bytes:
    """All cross-attention, to compare."""
    return b"".join(x.numpy().tobytes() for m in found.maps.layers for x in m.cross_attention.values())


def test_maps_of_an_image_saved_and_loaded(server: Server) -> None:
    """A graph without a sampler makes maps; loading them in another graph gives the same; a new file of that
    name is read anew, a damaged one is refused with its name, and a name outside the list is refused."""
    run(server, probing("probe/maps"))
    [(path, first)] = saved(server, "probe/maps")
    assert first.maps.latent == (8, 16)
    assert len(first.maps.layers) == 7
    assert first.tokens is not None
    assert first.tokens.find("beach").positions == (6,)

    name = "probe/maps_00001_.attention.safetensors [output]"
    run(server, copying(name, "probe/copy"))
    [(_, copy)] = saved(server, "probe/copy")
    assert numbers(copy) == numbers(first)

    run(server, probing("probe/other", level=0.2))
    [(other_path, other)] = saved(server, "probe/other")
    assert numbers(other) != numbers(first)
    other_path.replace(path)
    run(server, copying(name, "probe/copy"))
    assert [numbers(found) for _, found in saved(server, "probe/copy")] == [numbers(first), numbers(other)]

    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Failure, match=rf"{path.name} can't be read.*damaged"):
        run(server, copying(name, "probe/copy"))
    with pytest.raises(Failure, match=r"the server refuses the workflow"):
        run(server, copying("../../secret.safetensors [output]", "probe/copy"))
