"""One image of a batch that is a given picture, whatever sampler runs.

Where the model looks, the row is the picture's own state at that noise level; what the sampler is told about
the row is the picture itself. A sampler goes from what it has towards what it is told, so the row ends there.
"""

from dataclasses import dataclass

from torch import Tensor

from ...contract.batch import Batch
from ...contract.denoiser import Denoiser
from ...inversion.inversion import Inversion


@dataclass(frozen=True)
class Pinned:
    """The image `row` of the batch is the picture of this inversion; `note` is said about it at the end."""

    inversion: Inversion
    row: int
    note: str | None = None

    def check(self, batch: Batch) -> None:
        """Raises ValueError if the inversion does not hold one picture of the batch's size, or if the batch
        has no other image."""
        if self.inversion.images != 1:
            raise ValueError(
                f"reference_picture holds the inversions of {self.inversion.images} pictures, and one gives "
                "the style. Invert one picture: LatentFromBatch takes one out of a latent batch."
            )
        size = (self.inversion.states.shape[-2], self.inversion.states.shape[-1])
        if size != batch.latent:
            raise ValueError(
                f"reference_picture is {_size(size)}, and the latent batch to sample is "
                f"{_size(batch.latent)}. Make both one size: scale or crop the picture before you invert "
                "it, or change the empty latent."
            )
        if batch.images == 1:
            raise ValueError(
                "The latent batch holds 1 image, and with a reference_picture that image is the picture "
                "itself: nothing new would come out. Set the batch size to 1 more than the pictures you want."
            )

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

    def finish(self, latents: Tensor) -> str | None:
        note = f" Note: {self.note}." if self.note else ""
        return f"Image {self.row} is the reference picture.{note}"


def _size(latent: tuple[int, int]) -> str:
    height, width = latent
    return f"{width} x {height} latent cells (width x height; pictures of {8 * width} x {8 * height} pixels)"
