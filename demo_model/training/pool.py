"""Step 3: latents encoded ahead of training, with the scenes they show."""

import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..world import Scene, Sprites, Subject, render, sample_crowd
from ..world.scene import MAX_SUBJECTS
from .files import Places, load_tensors, save_tensors
from .latents import encode

CANVASES: dict[str, tuple[int, int]] = {"small": (64, 64), "full": (128, 128)}
COUNTS = {"small": [1], "full": [1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4, 5]}
CHUNK = 1000  # pictures in a file


@dataclass(frozen=True)
class Pool:
    """Latents (N, channels, h, w) of deviation 1, coverage (N, 5, h, w) per subject in 1/255, scenes."""

    latents: Tensor
    coverage: Tensor
    scenes: list[Scene]


def make_pool(
    places: Places,
    sprites: Sprites,
    numbers: dict[str, int],
    seed: int,
    device: torch.device,
    log: Callable[[str], None],
    until: float = math.inf,
) -> bool:
    """Render and encode `numbers` of pictures per canvas, in files of `CHUNK`; those that are there stay,
    unless another autoencoder made their latents.

    A file is named by the seed of its pictures: the first one's is `seed`. False if the time ran out.
    """
    from .weights import load_vae_network

    network = load_vae_network(places).to(device)
    encoder = digest_of(network)
    for canvas, number in numbers.items():
        for chunk, first in enumerate(range(0, number, CHUNK)):
            path = places.cache / f"pool-{canvas}-{seed + chunk}.pt"
            if path.is_file() and load_tensors(path).get("encoder") == encoder:
                continue
            if time.monotonic() > until:
                return False
            made = _encode(network, sprites, canvas, min(CHUNK, number - first), seed + chunk, device)
            save_tensors(path, made | {"encoder": encoder})
            values = made["latents"].float()
            log(f"pool {path.name}: mean {values.mean():.3f} std {values.std():.3f}")
    return True


@torch.no_grad()
def _encode(
    network: torch.nn.Module, sprites: Sprites, canvas: str, number: int, seed: int, device: torch.device
) -> dict[str, Any]:
    height, width = CANVASES[canvas]
    scenes, latents, coverage = [], [], []
    for first in range(0, number, 16):
        pictures = []
        for index in range(first, min(first + 16, number)):
            rng = np.random.default_rng([seed, height * width, index])
            pictures.append(
                render(sample_crowd(rng, height, width, int(rng.choice(COUNTS[canvas]))), sprites)
            )
        images = torch.from_numpy(np.stack([p.image for p in pictures])).movedim(-1, 1).to(device)
        latents.append(encode(network, (images.float() / 127.5 - 1).contiguous()).half().cpu())
        coverage.append(torch.stack([cover(p.masks) for p in pictures]))
        scenes += [asdict(p.scene) for p in pictures]
    return {"latents": torch.cat(latents), "coverage": torch.cat(coverage), "scenes": json.dumps(scenes)}


def cover(masks: np.ndarray) -> Tensor:
    """(n, H, W) -> (5, H/8, W/8) uint8: how much of each latent cell the subject covers."""
    cells = torch.nn.functional.avg_pool2d(torch.from_numpy(masks)[None], 8)[0]
    filled = torch.zeros(MAX_SUBJECTS, *cells.shape[1:])
    filled[: len(cells)] = cells
    return (filled * 255).round().to(torch.uint8)


def digest_of(network: torch.nn.Module) -> str:
    """What tells the latents of one autoencoder from those of another; its decoder may be trained on."""
    digest = hashlib.sha256()
    for part in (network.encoder, network.quant_conv):
        for tensor in part.state_dict().values():
            digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


def load_pool(cache: Path, canvas: str) -> Pool:
    """All files of one canvas, as one pool."""
    parts = [load_tensors(path) for path in sorted(cache.glob(f"pool-{canvas}-*.pt"))]
    if not parts:
        raise RuntimeError(
            f"no pool of {canvas} pictures in {cache}; run `python demo_model/train.py pool` first"
        )
    channels = {part["latents"].shape[1] for part in parts}
    if len(channels) > 1:
        raise RuntimeError(
            f"the pools of {canvas} pictures in {cache} hold latents of {sorted(channels)} channels; remove "
            f"those of an earlier autoencoder"
        )
    scenes = [_scene(record) for part in parts for record in json.loads(part["scenes"])]
    return Pool(torch.cat([p["latents"] for p in parts]), torch.cat([p["coverage"] for p in parts]), scenes)


def _scene(record: dict[str, Any]) -> Scene:
    subjects = tuple(Subject(**subject) for subject in record.pop("subjects"))
    return Scene(**{**record, "phase": tuple(record["phase"])}, subjects=subjects)
