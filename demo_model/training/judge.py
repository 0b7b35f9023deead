"""The judge: trained on rendered scenes, plain or passed through the VAE, with blur, noise and tint."""

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..judge import CELL, Detector
from ..world import STYLES, SUBJECTS, Picture, Sprites, render, sample_crowd
from ..world.vocabulary import EVERY_BACKGROUND, EVERY_COLOUR
from .clock import Clock
from .files import (
    Places,
    has_checkpoint,
    load_checkpoint,
    load_tensors,
    save_checkpoint,
    save_tensors,
    save_weights,
)
from .optimizers import Optimizer, split
from .weights import write_list


def train_judge(
    places: Places,
    sprites: Sprites,
    minutes: float,
    resume: bool,
    device: torch.device,
    log: Callable[[str], None],
    until: float = math.inf,
) -> bool:
    """Train for `minutes` with a learning rate that falls to zero, write the weights; False if not done."""
    resumed = resume and has_checkpoint(places.state, "judge")
    state = load_checkpoint(places.state, "judge") if resumed else {"minutes": 0.0, "step": 0}
    if resumed and state["minutes"] >= minutes and (places.weights / "judge.safetensors").is_file():
        return True
    torch.manual_seed(0)
    detector = Detector().to(device).train()
    torch.nn.init.zeros_(detector.heads.weight)
    optimizer = Optimizer(*split(detector, ("stem.1.", "heads.", "background.")), muon=0.01, adamw=2e-3)
    clock, step = Clock(minutes, until, state["minutes"]), state["step"]
    if resumed:
        detector.load_state_dict(state["detector"])
        optimizer.load_state_dict(state["optimizer"])
    rng = np.random.default_rng(int(time.time()) if resume else 1)
    batches = _batches(sprites, rng)
    decoded = places.cache / "decoded.pt"
    passed = load_decoded(decoded, sprites) if decoded.is_file() else None
    saved = time.monotonic()

    def save() -> None:
        states = {"detector": detector.state_dict(), "optimizer": optimizer.state_dict()}
        save_checkpoint(places.state, "judge", states | {"minutes": clock.spent, "step": step})

    with clock:
        while clock.running:
            pictures, images = next(batches), None
            if passed is not None and step % 2:
                chosen = rng.integers(0, len(passed[0]), 16)
                pictures, images = [passed[0][i] for i in chosen], passed[1][chosen].float() / 255
            images = blemish(stack(pictures) if images is None else images, rng).to(device)
            losses = _losses(detector, images, pictures)
            torch.stack(list(losses.values())).sum().backward()
            optimizer.step(min(1.0, (step + 1) / 30, 2 * (1 - min(clock.share, 1.0))))
            step += 1
            if step % 50 == 0:
                log(
                    f"judge step {step} {clock.share:.0%} "
                    + " ".join(f"{k} {v.item():.3f}" for k, v in losses.items())
                )
            if time.monotonic() - saved > 60:
                saved = time.monotonic()
                save()
    save()
    if clock.share < 1:
        return False
    save_weights(places.weights / "judge.safetensors", detector.state_dict())
    write_list(places.weights)
    return True


def decode_scenes(places: Places, sprites: Sprites, number: int, device: torch.device) -> None:
    """Pass `number` rendered scenes through the autoencoder and keep them for the judge's training."""
    from .weights import load_vae_network

    network = load_vae_network(places).to(device)
    images = []
    with torch.no_grad():
        for first in range(0, number, 16):
            pictures = [_passed_scene(sprites, index) for index in range(first, min(first + 16, number))]
            pixels = (stack(pictures) * 2 - 1).to(device)
            latents = network.quant_conv(network.encoder(pixels)).chunk(2, 1)[0]
            decoded = network.decoder(network.post_quant_conv(latents)) / 2 + 0.5
            images.append((decoded.clamp(0, 1) * 255).round().to(torch.uint8).cpu())
    save_tensors(places.cache / "decoded.pt", {"images": torch.cat(images)})


def load_decoded(path: Path, sprites: Sprites) -> tuple[list[Picture], Tensor]:
    """The scenes behind the decoded pictures (B, 3, H, W), drawn again from their seeds."""
    images: Tensor = load_tensors(path)["images"]
    return [_passed_scene(sprites, index) for index in range(len(images))], images


def _passed_scene(sprites: Sprites, index: int) -> Picture:
    rng = np.random.default_rng([777, index])
    return render(sample_crowd(rng, 128, 128, 1 + index % 5), sprites)


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
        yield [render(sample_crowd(rng, 128, 128, int(c)), sprites) for c in counts]


def _losses(detector: Detector, images: Tensor, pictures: list[Picture]) -> dict[str, Tensor]:
    maps, backgrounds = detector(images)
    height, width = maps["centre"].shape[2:]
    heat, cells, labels, sides = targets(pictures, height, width)
    b, y, x = (torch.tensor(c, device=images.device) for c in zip(*cells, strict=True))
    picked = {name: maps[name][b, :, y, x] for name in detector.channels}
    losses = {"centre": _focal(maps["centre"][:, 0], heat.to(images.device))}
    for name in ("noun", "colour", "style"):
        losses[name] = F.cross_entropy(picked[name], torch.tensor(labels[name], device=images.device))
    losses["sides"] = F.smooth_l1_loss(picked["sides"], torch.tensor(sides, device=images.device).log())
    order = list(EVERY_BACKGROUND)
    wanted = torch.tensor([order.index(p.scene.background) for p in pictures], device=images.device)
    losses["background"] = F.cross_entropy(backgrounds, wanted)
    return losses


def targets(
    pictures: list[Picture], height: int, width: int
) -> tuple[Tensor, list[tuple[int, int, int]], dict[str, list[int]], list[list[float]]]:
    """Heat maps with a bump at each centre; per subject its cell, its labels, its box's sides in cells."""
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
            labels["colour"].append(list(EVERY_COLOUR).index(subject.colour))
            labels["style"].append(STYLES.index(picture.scene.style))
    return heat, cells, labels, sides


def _focal(logits: Tensor, heat: Tensor) -> Tensor:
    """Focal loss for heat maps (CornerNet): exact centres are positives, cells beside them weigh little."""
    chance = logits.sigmoid().clamp(1e-4, 1 - 1e-4)
    positive = heat == 1
    gain = torch.where(
        positive, (1 - chance) ** 2 * chance.log(), (1 - heat) ** 4 * chance**2 * (1 - chance).log()
    )
    return -gain.sum() / positive.sum().clamp(min=1)
