"""Where the batches of the U-Net's training come from: latents that lie ready in files."""

from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from ..world import caption
from .binding import noun_masks
from .pool import CANVASES, Pool, load_pool
from .text import Words
from .unet import Batch

CAPTION_DROPOUT = 0.1


class Source(Protocol):
    def draw(self, canvas: str) -> Batch:
        """A random batch of pictures on the "small" or the "full" canvas."""
        ...

    def refresh(self) -> None:
        """Look for pictures that have come since."""
        ...


class PoolBatches:
    """Random batches of latents and fresh captions from the pools' files; `batch` pictures per canvas."""

    def __init__(
        self,
        cache: Path,
        words: Words,
        batch: dict[str, int],
        rng: np.random.Generator,
        device: torch.device,
        with_nouns: bool = False,
    ) -> None:
        self.cache, self.words, self.batch, self.rng = cache, words, batch, rng
        self.device = device
        self.with_nouns = with_nouns
        self.files: list[Path] = []
        self.pools: dict[str, Pool] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read the pools again if their files have changed: they may grow while training runs."""
        files = sorted(self.cache.glob("pool-*.pt"))
        if files != self.files or not files:
            self.pools = {name: load_pool(self.cache, name) for name in CANVASES}
            self.files = files

    def draw(self, canvas: str) -> Batch:
        pool = self.pools[canvas]
        chosen = self.rng.integers(0, len(pool.scenes), self.batch[canvas])
        scenes = [pool.scenes[i] for i in chosen]
        captions = ["" if self.rng.random() < CAPTION_DROPOUT else caption(s, self.rng) for s in scenes]
        latents, coverage = pool.latents[chosen].float(), pool.coverage[chosen].float() / 255
        ids, lengths = self.words.batch(captions)
        nouns = (
            noun_masks(self.words, captions, scenes, coverage.to(self.device)) if self.with_nouns else None
        )
        return Batch(
            latents.to(self.device),
            coverage.to(self.device),
            (ids.to(self.device), lengths.to(self.device)),
            nouns,
        )
