"""One image of a batch that is a given picture, whatever sampler runs.

Where the model looks, the row is the picture's own state at that noise level; what the sampler is told about
the row is the picture itself. A sampler goes from what it has towards what it is told, so the row ends there.
"""

from dataclasses import dataclass

from torch import Tensor

from ..contract.denoiser import Denoiser
from .inversion import Inversion


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


def size_in_words(latent: tuple[int, int]) -> str:
    """(height, width) in cells for messages."""
    height, width = latent
    return f"{width} x {height} latent cells (width x height; pictures of {8 * width} x {8 * height} pixels)"
