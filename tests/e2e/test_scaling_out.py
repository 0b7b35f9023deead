"""Two servers side by side, as `docs/scaling-out.md` has it: one graph on both, and files from one to the
other."""

import asyncio
import shutil
from typing import Any

import numpy as np
from PIL import Image

from host_client import Client
from host_server import Server
from pack import load_pack

from .demo_runs import Served
from .reports import Prompt, tell

load_pack()

from attention_control.attention_patches.maps.map_files import load_maps  # noqa: E402

STEPS = 2
Worker = Server | Served
INVERSION, MAPS = "sent.inversion.safetensors", "sent.attention.safetensors"


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    """One node of a prompt; a link is the number of a node and of its output."""
    return {"class_type": kind, "inputs": inputs}


def series(seed: int, rows: tuple[int, int] | None = None, style: str | None = None) -> Prompt:
    """Four pictures of one style; `rows` of them alone, (first, how many); or two in that of a file, which
    becomes the first."""
    aligning: dict[str, Any] = {"sharing": "reference", "adain": "queries and keys", "reference_index": 0}
    aligning |= {"score_shift": 0.0, "score_scale": 1.0, "share_group_norm": False, "layers": "all"}
    aligning |= {"start_percent": 0.0, "end_percent": 1.0}
    sampling = {
        "steps": STEPS,
        "cfg": 2.0,
        "sampler_name": "euler",
        "scheduler": "ddim_uniform",
        "denoise": 1.0,
    }
    width, height, images = (64, 64, 4) if style is None else (160, 128, 2)
    prompt = {
        "1": node("LoadDemoModel"),
        "2": node("CLIPTextEncode", clip=["1", 1], text="a red cat"),
        "3": node("CLIPTextEncode", clip=["1", 1], text=""),
        "4": node("EmptyLatentImage", width=width, height=height, batch_size=images),
        "6": node("StyleAlignedBatch", model=["1", 0], **aligning),
        "7": node(
            "KSampler",
            **{"model": ["6", 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0]},
            **{"seed": seed, **sampling},
        ),
        "8": node("VAEDecode", samples=["7", 0], vae=["1", 2]),
        "9": node("SaveImage", images=["8", 0], filename_prefix=f"series/{seed}"),
    }
    if rows is not None:
        prompt["9"]["inputs"]["filename_prefix"] = "series/cut"
        prompt["5"] = node("LatentFromBatch", samples=["4", 0], batch_index=rows[0], length=rows[1])
        prompt["7"]["inputs"]["latent_image"] = ["5", 0]
    if style is not None:
        prompt["5"] = node("LoadInversion", file=style)
        prompt["6"]["inputs"]["reference_picture"] = ["5", 0]
    return prompt


def files() -> Prompt:
    """The inversion of a picture and its attention, in files."""
    looking = {"noise_level": 0.6, "seed": 7, "record": "cross", "layers": "all", "self_max_tokens": 64}
    looking |= {"heads": "mean", "queries_and_keys": False, "memory_limit_mb": 100}
    settings = {"method": "ddim", "scheduler": "ddim_uniform", "steps": STEPS, "cfg": 1.0, "seed": 7}
    given = {"model": ["1", 0], "positive": ["2", 0], "latent": ["4", 0]}
    return {
        "1": node("LoadDemoModel"),
        "2": node("CLIPTextEncode", clip=["1", 1], text="a red cat and a blue dog on the beach"),
        "3": node("LoadExamplePicture", picture="example"),
        "4": node("VAEEncode", pixels=["3", 0], vae=["1", 2]),
        "5": node("InvertLatent", **given, **settings),
        "6": node("SaveInversion", inversion=["5", 0], filename_prefix="sent"),
        "7": node("AttentionProbe", **given, **looking),
        "8": node("SaveAttentionMaps", maps=["7", 0], filename_prefix="sent"),
    }


def both(*jobs: tuple[Worker, Prompt]) -> list[str]:
    """Run the prompts, those of several servers at the same time; the last line on each one's node 6."""

    async def one(server: Worker, prompt: Prompt) -> str:
        async with Client(server.address) as client:
            return (await tell(client, prompt)).texts.get("6", [""])[-1]

    async def run() -> list[str]:
        return list(await asyncio.gather(*(one(*job) for job in jobs)))

    return asyncio.run(run())


def pictures(server: Worker, prefix: str) -> list[Any]:
    """What was saved under a prefix, in order."""
    found = []
    for path in sorted((server.base / "output").glob(f"{prefix}_*.png")):
        with Image.open(path) as image:
            found.append(np.asarray(image.convert("RGB"), int))
    return found


def test_two_workers_give_what_one_gives(server: Server, served: Served) -> None:
    """To the bit, for the same seeds; another seed gives other pictures."""
    both((server, series(101)), (served, series(102)))
    both((server, series(102)))
    alone, apart = pictures(server, "series/102"), pictures(served, "series/102")
    assert len(alone) == len(apart) == 4
    assert all(np.array_equal(one, other) for one, other in zip(alone, apart, strict=True))
    assert not np.array_equal(alone[0], pictures(server, "series/101")[0])


def test_a_batch_that_was_cut_is_told(server: Server, served: Served) -> None:
    """The one with the first rows makes what the whole batch has there; the other one follows another."""
    both((server, series(102)))
    first, second = both((server, series(102, rows=(0, 2))), (served, series(102, rows=(2, 2))))
    whole = pictures(server, "series/102")
    off = [
        [int(np.abs(one - other).max()) for one, other in zip(whole[start:], half, strict=False)]
        for start, half in ((0, pictures(server, "series/cut")), (2, pictures(served, "series/cut")))
    ]
    assert max(off[0]) <= 1 and min(off[1]) > 1, off
    assert first.endswith("2 images.")
    assert "images 2, 3 of a larger batch, and follow image 2 of it" in second


def test_files_carry_style_and_maps(server: Server, served: Served) -> None:
    """A worker that loads the other's inversion has the same first image, but for what rounding is left where
    its own noise was taken off, and new ones of its own; maps are the same there."""
    both((server, files()))
    made = {
        name: next((server.base / "output").glob(name.replace(".", "_*.", 1))) for name in (INVERSION, MAPS)
    }
    for each in (server, served):
        for name, path in made.items():
            shutil.copy(path, each.base / "input" / name)
    copying = {
        "10": node("LoadAttentionMaps", file=f"{MAPS} [input]"),
        "11": node("SaveAttentionMaps", maps=["10", 0], filename_prefix="arrived"),
    }
    style = f"{INVERSION} [input]"
    both((server, series(103, style=style)), (served, {**series(104, style=style), **copying}))
    (picture, new), (same, other) = pictures(server, "series/103"), pictures(served, "series/104")
    assert np.abs(picture - same).max() <= 1 < np.abs(new - other).max()  # of 255
    (arrived,) = (served.base / "output").glob("arrived_*.attention.safetensors")
    sent, there = (load_maps(path).maps.layers for path in (made[MAPS], arrived))
    assert len(sent) == len(there) > 0
    for one, other in zip(sent, there, strict=True):
        pairs = zip(one.cross_attention.values(), other.cross_attention.values(), strict=True)
        assert all(x.equal(y) for x, y in pairs)
