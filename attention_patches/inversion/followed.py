"""A picture whose inversion a run follows from its beginning on."""

from dataclasses import dataclass

from torch import Tensor

from .inversion import Inversion


@dataclass(frozen=True)
class Followed:
    """What a noise mask leaves out stays this picture, by its own noisy states."""

    inversion: Inversion

    def left_out(self, sigma: float) -> Tensor:
        return self.inversion.at(sigma)
