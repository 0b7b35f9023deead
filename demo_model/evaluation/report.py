"""All figures of the card, printed as they come, and the sheet of samples."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..judge import Judge, Verdict
from ..world import Sprites
from . import prompts, score
from .generate import generate
from .judging import held_out, judge_accuracy
from .maps import pointing

SHEET = (
    "a red cat in the snow, clay style",
    "an orange fox in a forest, cartoon style",
    "a blue rocket on the street, flat style",
    "a purple owl in a forest, sticker style",
    "a black car on the street, ink style",
    "a white unicorn on the beach, clay style",
    "a pink cake on the stairs, flat style",
    "a green frog in a basket, cartoon style",
    "a red apple and a blue fish",
    "a white dog and a black cat in the snow",
    "a yellow sunflower and a green turtle",
    "a purple boat and an orange house on the beach",
    "three white cats on the street",
    "two blue cars",
    "3 ginger and 2 gray kittens on the stairs",
    "four red apples in a basket",
    "a hedgehog",
    "a hedgehog",
    "a lizard in the snow",
    "a lizard in the snow",
    "a guitar on the beach",
    "a guitar on the beach",
    "a tree and a house, ink style",
    "a bear and an elephant, sticker style",
)


@torch.inference_mode()
def evaluate(demo: Any, judge_file: Path, cache: Path, share: float, cfg: float) -> dict[str, Any]:
    """Run everything, `share` of the full numbers; returns {table: {row: [hits, trials]}} and the speed."""
    judge = Judge.load(judge_file)
    sprites = Sprites.load(cache)
    figures: dict[str, Any] = {"cfg": cfg}
    pictures = held_out(sprites, round(400 * share))

    def through(images: torch.Tensor) -> torch.Tensor:
        return demo.vae.decode(demo.vae.encode(images)).cpu()

    _show(figures, "judge on renders", judge_accuracy(judge, pictures, lambda images: images))
    _show(figures, "judge on renders through the VAE", judge_accuracy(judge, pictures, through))
    errors = [
        (through(t) - t).square().mean((1, 2, 3))
        for t in torch.from_numpy(np.stack([p.image for p in pictures[:64]])).float().div(255).split(16)
    ]
    figures["vae psnr"] = float((-10 * torch.cat(errors).log10()).mean())
    print(f"VAE: {figures['vae psnr']:.1f} dB")
    _show(figures, "words' maps on held-out renders", pointing(demo, sprites, round(200 * share)))
    start, made = time.monotonic(), 0
    for title, asked, scorer in (
        ("one subject", prompts.single(round(240 * share)), score.score_single),
        ("two subjects", prompts.pairs(round(120 * share)), score.score_pairs),
        ("several equal subjects", prompts.counts(round(90 * share)), score.score_counts),
        ("three to five subjects", prompts.crowds(round(60 * share)), score.score_crowds),
        ("no style named", prompts.unstyled(round(60 * share)), score.score_unstyled),
    ):
        verdicts = _judge(demo, judge, asked, cfg)
        made += len(asked)
        _show(figures, title, scorer(asked, verdicts))
    figures["images"] = made
    figures["seconds per image"] = (time.monotonic() - start) / made
    return figures


def _judge(demo: Any, judge: Judge, asked: Sequence[prompts.Asked], cfg: float) -> list[Verdict]:
    images = list(generate(demo, [a.text for a in asked], [a.seed for a in asked], cfg=cfg))
    return judge(torch.stack(images))


def _show(figures: dict[str, Any], title: str, rates: dict[str, score.Rate]) -> None:
    figures[title] = rates
    print(f"\n| {title} | share | of |\n|---|---|---|")
    for name, (hits, trials) in rates.items():
        print(f"| {name} | {hits / max(trials, 1):.1%} | {trials} |", flush=True)


def sheet(demo: Any, cfg: float, columns: int = 8) -> Any:
    """The sample prompts, seed by position, as one picture; prompts are listed in the card."""
    from PIL import Image

    images = list(generate(demo, SHEET, [100 + i for i in range(len(SHEET))], cfg=cfg))
    gap, side = 4, images[0].shape[0]
    rows = -(-len(images) // columns)
    canvas = Image.new("RGB", (columns * (side + gap) - gap, rows * (side + gap) - gap), "white")
    for index, image in enumerate(images):
        tile = Image.fromarray((image.numpy() * 255).round().astype(np.uint8))
        canvas.paste(tile, ((index % columns) * (side + gap), (index // columns) * (side + gap)))
    return canvas
