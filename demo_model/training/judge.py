"""Step 2: the judge, on rendered scenes that are blurred, noised and shifted in tone so that small faults do not fool it."""

import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..judge import CELL, HEADS, Detector
from ..world import BACKGROUNDS, COLOURS, STYLES, SUBJECTS, Picture, Sprites, render, sample_scene
from .files import Places, load_checkpoint, save_checkpoint, save_weights
from .optimizers import Optimizer, split
from .weights import write_list


def train_judge(places: Places, minutes: float, resume: bool, device: torch.device, log: Callable[[str], None]) -> None:
    """Train for `minutes` with a learning rate that falls to zero, and write the weights."""
    torch.manual_seed(0)
    detector = Detector().to(device).train()
    torch.nn.init.zeros_(detector.heads.weight)
    optimizer = Optimizer(*split(detector, ("stem.1.", "heads.", "background.")), muon=0.01, adamw=2e-3)
    checkpoint = places.cache / "judge.pt"
    if resume and checkpoint.is_file():
        state = load_checkpoint(checkpoint)
        detector.load_state_dict(state["detector"])
        optimizer.load_state_dict(state["optimizer"])
    rng = np.random.default_rng(int(time.time()) if resume else 1)
    batches = _batches(Sprites.load(places.cache), rng)
    start, step, last = time.monotonic(), 0, time.monotonic()
    while (share := (time.monotonic() - start) / (60 * minutes)) < 1:
        pictures = next(batches)
        images = blemish(stack(pictures), rng).to(device)
        losses = _losses(detector, images, pictures)
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step(min(1.0, (step + 1) / 30, 2 * (1 - share)))
        step += 1
        if step % 50 == 0:
            log(f"judge step {step} {share:.0%} " + " ".join(f"{k} {v.item():.3f}" for k, v in losses.items()))
        if time.monotonic() - last > 60:
            last = time.monotonic()
            save_checkpoint(checkpoint, {"detector": detector.state_dict(), "optimizer": optimizer.state_dict()})
    save_checkpoint(checkpoint, {"detector": detector.state_dict(), "optimizer": optimizer.state_dict()})
    save_weights(places.weights / "judge.safetensors", detector.state_dict())
    write_list(places.weights)


def stack(pictures: list[Picture]) -> Tensor:
    """(B, 3, H, W) in 0..1."""
    return torch.from_numpy(np.stack([p.image for p in pictures])).movedim(-1, 1).float() / 255


def blemish(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Blur half of the pictures a little, and add noise and a tint to all."""
    kernel = torch.tensor([1.0, 2.0, 1.0]) / 4
    weight = (kernel[:, None] * kernel)[None, None].repeat(3, 1, 1, 1)
    for _ in range(int(rng.integers(0, 4))):
        blurred = F.conv2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), weight, groups=3)
        some = torch.from_numpy(rng.random(len(images)) < 0.5).view(-1, 1, 1, 1)
        images = torch.where(some, blurred, images)
    tint = torch.from_numpy(rng.normal(0, 0.02, (len(images), 3, 1, 1))).float()
    noise = torch.randn_like(images) * float(rng.uniform(0, 0.05))
    return (images + tint + noise).clamp(0, 1)


def _batches(sprites: Sprites, rng: np.random.Generator, batch: int = 16) -> Iterator[list[Picture]]:
    while True:
        counts = rng.choice([1, 2, 3, 4, 5], batch, p=[0.25, 0.3, 0.2, 0.15, 0.1])
        yield [render(sample_scene(rng, 128, 128, int(c)), sprites) for c in counts]


def _losses(detector: Detector, images: Tensor, pictures: list[Picture]) -> dict[str, Tensor]:
    maps, backgrounds = detector(images)
    height, width = maps["centre"].shape[2:]
    heat, cells, labels, sides = targets(pictures, height, width)
    b, y, x = (torch.tensor(c, device=images.device) for c in zip(*cells, strict=True))
    picked = {name: maps[name][b, :, y, x] for name in HEADS}
    losses = {"centre": _focal(maps["centre"][:, 0], heat.to(images.device))}
    for name in ("noun", "colour", "style"):
        losses[name] = F.cross_entropy(picked[name], torch.tensor(labels[name], device=images.device))
    losses["sides"] = F.smooth_l1_loss(picked["sides"], torch.tensor(sides, device=images.device).log())
    order = list(BACKGROUNDS)
    wanted = torch.tensor([order.index(p.scene.background) for p in pictures], device=images.device)
    losses["background"] = F.cross_entropy(backgrounds, wanted)
    return losses


def targets(
    pictures: list[Picture], height: int, width: int
) -> tuple[Tensor, list[tuple[int, int, int]], dict[str, list[int]], list[list[float]]]:
    """Heat maps with a bump at each centre; per subject its cell, labels and distances to its box's sides in cells."""
    heat = torch.zeros(len(pictures), height, width)
    cells, sides = [], []
    labels: dict[str, list[int]] = {"noun": [], "colour": [], "style": []}
    rows, columns = torch.arange(height)[:, None], torch.arange(width)[None, :]
    for index, picture in enumerate(pictures):
        for subject, box in zip(picture.scene.subjects, picture.boxes(), strict=True):
            if box is None:
                continue
            left, top, right, bottom = (v / CELL for v in box)
            x, y = min(int((left + right) / 2), width - 1), min(int((top + bottom) / 2), height - 1)
            bump = torch.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 2.0)
            heat[index] = torch.maximum(heat[index], bump)
            cells.append((index, y, x))
            distances = (x + 0.5 - left, y + 0.5 - top, right - x - 0.5, bottom - y - 0.5)
            sides.append([max(d, 0.1) for d in distances])
            labels["noun"].append(list(SUBJECTS).index(subject.noun))
            labels["colour"].append(list(COLOURS).index(subject.colour))
            labels["style"].append(list(STYLES).index(picture.scene.style))
    return heat, cells, labels, sides


def _focal(logits: Tensor, heat: Tensor) -> Tensor:
    """Focal loss for heat maps (CornerNet): exact centres are positives, cells beside them weigh little."""
    chance = logits.sigmoid().clamp(1e-4, 1 - 1e-4)
    positive = heat == 1
    gain = torch.where(positive, (1 - chance) ** 2 * chance.log(), (1 - heat) ** 4 * chance**2 * (1 - chance).log())
    return -gain.sum() / positive.sum().clamp(min=1)
