"""Sets of pictures in the demo model's world: what is asked for, how it is sampled, how a sheet shows it."""

from collections.abc import Iterable
from typing import Any

import comfy.sample
import numpy as np
import torch
from attention_control.attention_patches.methods.style_aligned.method import StyleAligned
from attention_control.demo_model.world.vocabulary import BACKGROUNDS, SUBJECTS
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from attention_control.nodes.host.text.prompt_batch import encode_rows
from PIL import Image, ImageDraw

from measure.setting.models import empty_latents

SIZE = 128


def sets(number: int) -> list[tuple[list[str], str]]:
    """Four different subjects and a background each; every subject is asked for equally often."""
    rng = np.random.default_rng(7)
    orders = [rng.permutation(list(SUBJECTS)).reshape(-1, 4) for _ in range(-(-number // 6))]
    backgrounds = list(BACKGROUNDS.values())
    return [
        ([str(n) for n in nouns], backgrounds[i % len(backgrounds)])
        for i, nouns in enumerate(np.concatenate(orders)[:number])
    ]


def prompts(nouns: Iterable[str], place: str) -> list[str]:
    """One for each subject, without a style or a colour."""
    return [f"{'an' if noun[0] in 'aeiou' else 'a'} {noun} {place}" for noun in nouns]


def pictures(
    demo: Any, settings: dict[str, Any], nouns: list[str], place: str, seed: int, steps: int
) -> torch.Tensor:
    """One image for each noun (B, SIZE, SIZE, 3) in 0..1, under StyleAligned with the settings."""
    model, clip, vae = demo
    model = install(model, StyleAligned(layers=family_of(model).layer_map().parse("all"), **settings))
    latent = empty_latents(model, len(nouns), SIZE // 8, SIZE // 8)
    samples = comfy.sample.sample(
        model,
        comfy.sample.prepare_noise(latent, seed),
        steps,
        3.0,
        "euler",
        "normal",
        encode_rows(clip, prompts(nouns, place)),
        encode_rows(clip, [""]),
        latent,
        disable_pbar=True,
        seed=seed,
    )
    decoded: torch.Tensor = vae.decode(samples)
    return decoded


def sheet(rows: dict[str, torch.Tensor]) -> Image.Image:
    """One row of pictures per variant, with its name on the left."""
    margin, columns = 120, max(len(images) for images in rows.values())
    canvas = Image.new("RGB", (margin + columns * SIZE, len(rows) * SIZE), "white")
    draw = ImageDraw.Draw(canvas)
    for row, (name, images) in enumerate(rows.items()):
        draw.text((6, row * SIZE + SIZE // 2 - 6), name, fill="black")
        for column, image in enumerate(images):
            pixels = (image.clamp(0, 1) * 255).round().byte().numpy()
            canvas.paste(Image.fromarray(pixels), (margin + column * SIZE, row * SIZE))
    return canvas
