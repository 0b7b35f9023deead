"""A picture that others follow: its noisy states, from an inversion or noised afresh."""

import hashlib
import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..numerics.noise_path import NoisePath, noisy

STEPS_OF_LOG_SIGMA = 10_000  # noise levels that differ by less have the same noise


class Guide(Protocol):
    """One picture or several; latents are the model's own, see `numerics/noise_path.py`."""

    @property
    def images(self) -> int: ...

    @property
    def picture(self) -> Tensor:
        """(B, C, h, w) without noise."""
        ...

    def at(self, sigma: float) -> Tensor:
        """Its state (B, C, h, w) at any noise level."""
        ...


@dataclass(frozen=True, eq=False)  # tensors have no single answer to ==
class NoisedPicture:
    """A picture that was not inverted: at each noise level it has other noise, as Ctrl-X has it (Lin et al.,
    NeurIPS 2024, section 3.2).

    The noise of an image follows from `seed`, the level and the image's number, so that two halves of a run
    see what one sees. `path` says how a noisy state of the model holds its picture.
    """

    picture: Tensor
    seed: int = 0
    path: NoisePath = "variance exploding"

    @property
    def images(self) -> int:
        return len(self.picture)

    def at(self, sigma: float) -> Tensor:
        if sigma <= 0:
            return self.picture
        level = round(math.log(sigma) * STEPS_OF_LOG_SIGMA)
        noise = [self._noise(image.shape, level, number) for number, image in enumerate(self.picture)]
        return noisy(self.path, self.picture, torch.stack(noise).to(self.picture), sigma)

    def _noise(self, shape: torch.Size, level: int, number: int) -> Tensor:
        # torch takes 32 bits of a seed: numbers side by side would lose the highest
        mixed = hashlib.blake2b(repr((self.seed, level, number)).encode(), digest_size=4).digest()
        return torch.randn(shape, generator=torch.Generator().manual_seed(int.from_bytes(mixed, "big")))
