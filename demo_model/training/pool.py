"""Step 3: latents encoded ahead of training, with the scenes they show."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..architecture import LATENT_SCALE
from ..world import Scene, Sprites, Subject, render, sample_scene
from ..world.scene import MAX_SUBJECTS
from .files import Places, load_checkpoint, save_checkpoint

CANVASES: dict[str, tuple[int, int]] = {"small": (64, 64), "full": (128, 128)}
COUNTS = {"small": [1], "full": [1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 4, 5]}


@dataclass(frozen=True)
class Pool:
    """Latents (N, 4, h, w) of unit deviation, coverage (N, 5, h, w) per subject in 1/255, their scenes."""

    latents: Tensor
    coverage: Tensor
    scenes: list[Scene]


def make_pool(
    places: Places, small: int, full: int, seed: int, device: torch.device, log: Callable[[str], None]
) -> None:
    """Render and encode `small` and `full` pictures into one file per canvas, named by the seed."""
    from .weights import load_vae_network

    network = load_vae_network(places).to(device)
    sprites = Sprites.load(places.cache)
    for canvas, number in (("small", small), ("full", full)):
        if number:
            made = _encode(network, sprites, canvas, number, seed, device)
            save_checkpoint(places.cache / f"pool-{canvas}-{seed}.pt", made)
            values = made["latents"].float()
            log(f"pool {canvas} {number}: mean {values.mean():.3f} std {values.std():.3f}")


@torch.no_grad()
def _encode(
    network: torch.nn.Module, sprites: Sprites, canvas: str, number: int, seed: int, device: torch.device
) -> dict[str, Any]:
    height, width = CANVASES[canvas]
    scenes, latents, coverage = [], [], []
    for first in range(0, number, 64):
        pictures = []
        for index in range(first, min(first + 64, number)):
            rng = np.random.default_rng([seed, height * width, index])
            pictures.append(
                render(sample_scene(rng, height, width, int(rng.choice(COUNTS[canvas]))), sprites)
            )
        images = torch.from_numpy(np.stack([p.image for p in pictures])).movedim(-1, 1).to(device)
        moments = network.quant_conv(network.encoder((images.float() / 127.5 - 1).contiguous()))
        latents.append((moments[:, :4] * LATENT_SCALE).half().cpu())
        coverage.append(torch.stack([_cover(p.masks) for p in pictures]))
        scenes += [asdict(p.scene) for p in pictures]
    return {"latents": torch.cat(latents), "coverage": torch.cat(coverage), "scenes": json.dumps(scenes)}


def _cover(masks: np.ndarray) -> Tensor:
    """(n, H, W) -> (5, H/8, W/8) uint8: how much of each latent cell the subject covers."""
    cells = torch.nn.functional.avg_pool2d(torch.from_numpy(masks)[None], 8)[0]
    filled = torch.zeros(MAX_SUBJECTS, *cells.shape[1:])
    filled[: len(cells)] = cells
    return (filled * 255).round().to(torch.uint8)


def load_pool(cache: Path, canvas: str) -> Pool:
    """All files of one canvas, as one pool."""
    parts = [load_checkpoint(path) for path in sorted(cache.glob(f"pool-{canvas}-*.pt"))]
    if not parts:
        raise RuntimeError(
            f"no pool of {canvas} pictures in {cache}; run `python demo_model/train.py pool` first"
        )
    scenes = [_scene(record) for part in parts for record in json.loads(part["scenes"])]
    return Pool(torch.cat([p["latents"] for p in parts]), torch.cat([p["coverage"] for p in parts]), scenes)


def _scene(record: dict[str, Any]) -> Scene:
    subjects = tuple(Subject(**subject) for subject in record.pop("subjects"))
    return Scene(**{**record, "phase": tuple(record["phase"])}, subjects=subjects)
