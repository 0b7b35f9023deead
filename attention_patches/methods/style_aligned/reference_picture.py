"""A given picture as the reference of a batch."""

from torch import Tensor

from ...contract.batch import Batch
from ...inversion.pinned import Pinned, size_in_words


class ReferencePicture(Pinned):
    """The image that the others take their style from."""

    def check(self, batch: Batch) -> None:
        """Raises ValueError if the inversion does not hold one picture of the batch's size, or if the batch
        has no other image."""
        if self.inversion.images != 1:
            raise ValueError(
                f"reference_picture holds the inversions of {self.inversion.images} pictures, and one gives "
                "the style. Invert one picture: LatentFromBatch takes one out of a latent batch."
            )
        size = self.inversion.size
        if size != batch.latent:
            raise ValueError(
                f"reference_picture is {size_in_words(size, batch.cell)}, and the latent batch to sample is "
                f"{size_in_words(batch.latent, batch.cell)}. Make both one size: scale or crop the picture "
                "before you invert it, or change the empty latent."
            )
        if batch.images == 1:
            raise ValueError(
                "The latent batch holds 1 image, and with a reference_picture that image is the picture "
                "itself: nothing new would come out. Set the batch size to 1 more than the pictures you want."
            )

    def finish(self, latents: Tensor) -> str | None:
        note = f" Note: {self.note}." if self.note else ""
        return f"Image {self.row} is the reference picture.{note}"
