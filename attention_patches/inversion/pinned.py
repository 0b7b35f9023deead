"""One image of a batch that is a given picture, whatever sampler runs.

Where the model looks, the row is the picture's own state at that noise level; what the sampler is told about
the row is the picture itself. A sampler goes from what it has towards what it is told, so the row ends there.
"""

from dataclasses import dataclass

from torch import Tensor

from ..contract.denoiser import Denoiser
from .inversion import Inversion

BEGAN_LATE = "It began below the inversion's noisiest level, which is right for the later part of a run only."
LATE = 0.9  # of a sigma: schedules begin at nearly the same one


def begins_late(inversion: Inversion, sigma: float, step: int = 0) -> bool:
    """Whether a run that begins at this sigma leaves out what the inversion's step begins with."""
    return sigma < LATE * float(inversion.sigmas[step])


@dataclass
class Pinned:
    """The image `row` of the batch is the picture of this inversion; `note` is said about it at the end."""

    inversion: Inversion
    row: int
    note: str | None = None

    def denoise(self, latents: Tensor, model: Denoiser) -> Tensor:
        """One call of the sampler with (B, C, h, w), neither of whose tensors is written to."""
        seen = latents.clone()
        seen[self.row] = self.inversion.at(model.sigma)[0].to(latents)
        expected = model.rest(seen).clone()
        expected[self.row] = self.inversion.picture[0].to(expected)
        return expected

    @property
    def uncontrolled(self) -> tuple[int, ...]:
        return (self.row,)


def size_in_words(latent: tuple[int, int], cell: int) -> str:
    """(height, width) in cells, each of so many pixels a side, for messages."""
    height, width = latent
    pixels = f"{cell * width} x {cell * height} pixels"
    return f"{width} x {height} latent cells (width x height; pictures of {pixels})"
