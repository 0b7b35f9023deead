"""Fresh pictures without end: other processes think of scenes, the device paints and encodes them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from ..world import Sprites, caption, sample_crowd
from .batches import CAPTION_DROPOUT
from .composer import Composer, Plans, phases, plan
from .latents import encode
from .pool import CANVASES, COUNTS
from .text import Words
from .unet import Batch

_CHUNK = 256  # pictures that are thought of, painted and encoded at a time
_CAPTIONS = 4  # per picture
_LENGTH = 77


class Thought(IterableDataset):  # type: ignore[type-arg]
    """(plans, ids (chunk, captions, 77), lengths (chunk, captions)) of new scenes, without end."""

    def __init__(
        self, canvas: str, words: Words, seed: int, number_of_phases: int, chunk: int = _CHUNK
    ) -> None:
        self.canvas, self.words, self.seed = canvas, words, seed
        self.phases, self.chunk = phases(number_of_phases), chunk

    def __iter__(self) -> Iterator[tuple[Plans, Tensor, Tensor]]:
        worker = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0, *CANVASES[self.canvas]])
        while True:
            counts = rng.choice(COUNTS[self.canvas], self.chunk)
            scenes = [sample_crowd(rng, *CANVASES[self.canvas], int(count)) for count in counts]
            plans = plan(scenes, rng.integers(0, len(self.phases), self.chunk).tolist())
            said = [
                "" if rng.random() < CAPTION_DROPOUT else caption(scene, rng)
                for scene in scenes
                for _ in range(_CAPTIONS)
            ]
            ids, lengths = self.words.batch(said)
            padded = torch.nn.functional.pad(ids, (0, _LENGTH - ids.shape[1]), value=int(ids[0, -1]))
            yield plans, padded.view(self.chunk, _CAPTIONS, _LENGTH), lengths.view(self.chunk, _CAPTIONS)


class Pictures:
    """Painted pictures of one canvas: images (chunk, 3, H, W) in -1..1, coverage, ids and lengths."""

    def __init__(
        self,
        sprites: Sprites,
        canvas: str,
        words: Words,
        device: torch.device,
        seed: int,
        workers: int,
        chunk: int = _CHUNK,
        number_of_phases: int = 32,
    ) -> None:
        self.composer = Composer(sprites, CANVASES[canvas], device, number_of_phases)
        self.device = device
        thought = Thought(canvas, words, seed, number_of_phases, chunk)
        self.thought = iter(DataLoader(thought, batch_size=None, num_workers=workers))

    def __next__(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        plans, ids, lengths = next(self.thought)
        images, coverage = self.composer(plans.to(self.device))
        return images, coverage, ids.to(self.device), lengths.to(self.device)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        return self


class Ring:
    """The latest pictures as latents, on the device; a batch is drawn at random from them."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.filled, self.next = capacity, 0, 0
        self.stores: list[Tensor] = []

    def put(self, *rows: Tensor) -> None:
        """Rows (n, ...) of each store over the oldest ones."""
        if not self.stores:
            self.stores = [row.new_zeros(self.capacity, *row.shape[1:]) for row in rows]
        number = len(rows[0])
        at = (torch.arange(number, device=rows[0].device) + self.next) % self.capacity
        for store, row in zip(self.stores, rows, strict=True):
            store[at] = row
        self.next = (self.next + number) % self.capacity
        self.filled = min(self.filled + number, self.capacity)

    def draw(self, number: int) -> list[Tensor]:
        chosen = torch.randint(0, self.filled, (number,), device=self.stores[0].device)
        return [store[chosen] for store in self.stores]


class StreamBatches:
    """Batches from rings that are filled a little with each one: a picture is seen about `reuse` times."""

    def __init__(
        self,
        pictures: dict[str, Pictures],
        network: Any,
        batch: dict[str, int],
        reuse: float = 4.0,
        capacity: int = 200_000,
    ) -> None:
        self.pictures, self.network, self.batch, self.reuse = pictures, network, batch, reuse
        self.rings = {canvas: Ring(capacity) for canvas in pictures}
        self.owed = dict.fromkeys(pictures, 0.0)  # pictures that the ring is to get

    def refresh(self) -> None:
        """Nothing to do: the pictures come by themselves."""

    def draw(self, canvas: str) -> Batch:
        ring, number = self.rings[canvas], self.batch[canvas]
        self.owed[canvas] += number / self.reuse
        while self.owed[canvas] > 0 or ring.filled < number:
            images, coverage, ids, lengths = next(self.pictures[canvas])
            latents = encode(self.network, images)
            ring.put(latents.half(), (coverage * 255).round().byte(), ids.short(), lengths.short())
            self.owed[canvas] -= len(images)
        latents, coverage, ids, lengths = ring.draw(number)
        said = torch.randint(0, _CAPTIONS, (number,), device=latents.device)
        rows = torch.arange(number, device=latents.device)
        return Batch(
            latents.float(), coverage.float() / 255, (ids[rows, said].long(), lengths[rows, said].long())
        )
