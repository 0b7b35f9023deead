"""Where nouns and colour words look: cross-attention on rendered scenes whose masks are known."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..architecture import latent_scale
from ..world import Picture, Sprites, render, sample_scene
from .generate import encode
from .score import Rate

TIMESTEP = 600


class MapRecorder:
    """An `optimized_attention_override` that keeps cross-attention maps, (B, 77, h, w), mean over heads."""

    def __init__(self, text_tokens: int, height: int, width: int) -> None:
        self.text_tokens, self.height, self.width = text_tokens, height, width
        self.layers: list[Tensor] = []

    def __call__(
        self, inner: Callable[..., Tensor], q: Tensor, k: Tensor, v: Tensor, heads: int, **kwargs: Any
    ) -> Tensor:
        if k.shape[1] == self.text_tokens and q.shape[1] != k.shape[1]:
            queries, keys = (x.unflatten(-1, (heads, -1)).transpose(1, 2).float() for x in (q, k))
            maps = (queries @ keys.mT * queries.shape[-1] ** -0.5).softmax(-1).mean(1)
            shrink = round((self.height * self.width / q.shape[1]) ** 0.5)
            maps = maps.mT.unflatten(-1, (self.height // shrink, self.width // shrink))
            self.layers.append(F.interpolate(maps, size=(self.height, self.width), mode="bilinear"))
        return inner(q, k, v, heads, **kwargs)


def pointing(demo: Any, sprites: Sprites, number: int) -> dict[str, Rate]:
    """On `number` held-out scenes of two subjects: does a word's map favour its own, and peak on it?"""
    rates = {"noun": [], "noun peak": [], "colour": [], "colour peak": []}  # type: dict[str, list[bool]]
    pictures = [p for i in range(3 * number) if (p := _scene(sprites, i)) is not None][:number]
    for first in range(0, len(pictures), 16):
        part = pictures[first : first + 16]
        captions = [_caption(p) for p in part]
        maps = word_maps(demo, np.stack([p.image for p in part]), captions)
        for picture, text, map_ in zip(part, captions, maps, strict=True):
            cover = F.avg_pool2d(torch.from_numpy(picture.masks)[None], 8)[0]
            words = re.findall(r"[a-z]+", text)
            for own, subject in enumerate(picture.scene.subjects):
                for kind, word in (("noun", subject.noun), ("colour", subject.colour)):
                    map_of_word = map_[
                        1 + words.index(word)
                    ]  # every word is one token; the start token is first
                    density = (map_of_word * cover).sum((1, 2)) / cover.sum((1, 2))
                    rates[kind].append(int(density.argmax()) == own)
                    peak = divmod(int(map_of_word.argmax()), map_of_word.shape[1])
                    rates[f"{kind} peak"].append(bool(cover[own, peak[0], peak[1]] > 0.25))
    names = {"": "map favours its own subject", " peak": "map peaks on its own subject"}
    return {
        f"{kind}'s {name}": (sum(rates[kind + suffix]), len(rates[kind + suffix]))
        for kind in ("noun", "colour")
        for suffix, name in names.items()
    }


@torch.inference_mode()
def word_maps(demo: Any, images: np.ndarray, captions: list[str], seed: int = 0) -> Tensor:
    """(B, 77, H/8, W/8): maps of every token in one pass over the noised pictures, mean of all layers."""
    import comfy.model_management

    comfy.model_management.load_models_gpu([demo.model])
    latents = demo.vae.encode(torch.from_numpy(images).float() / 255)
    latents = latents * latent_scale(latents.shape[1])
    sigma = demo.model.model.model_sampling.sigmas[TIMESTEP].to(latents)
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(seed)).to(latents)
    noisy = (latents + sigma * noise) / (1 + sigma**2) ** 0.5
    context = encode(demo.clip, captions).to(latents)
    recorder = MapRecorder(context.shape[1], *latents.shape[2:])
    times = torch.full((len(latents),), float(TIMESTEP)).to(latents)
    device = demo.model.load_device
    demo.model.model.diffusion_model(
        noisy.to(device),
        times.to(device),
        context.to(device),
        transformer_options={"optimized_attention_override": recorder},
    )
    return torch.stack(recorder.layers).mean(0).cpu()


def _scene(sprites: Sprites, index: int) -> Picture | None:
    """A held-out scene of two subjects in two colours, or None if chance gave another kind."""
    scene = sample_scene(np.random.default_rng([987654, index]), 128, 128, 2)
    (a, b) = scene.subjects
    return render(scene, sprites) if a.noun != b.noun and a.colour != b.colour else None


def _caption(picture: Picture) -> str:
    (a, b) = picture.scene.subjects
    return f"a {a.colour} {a.noun} and a {b.colour} {b.noun}"
