"""A given picture as the source of the edits."""

from dataclasses import dataclass

from torch import Tensor

from ...contract.denoiser import Denoiser
from ...inversion.pinned import BEGAN_LATE, Pinned, begins_late

AS_IT_WAS = 0.05  # of a sigma: how far latents may be from a state that they are


@dataclass
class SourcePicture(Pinned):
    """The first image; it looks whether the sampler starts where the inversion ends.

    A flow's schedule may begin at sigma 1, where nothing is kept of the latents that a sampler is given. If
    it adds no noise either, all images start at the inversion's.
    """

    starts_there: bool | None = None
    begins_late: bool = False  # as the later part of a run does, whose start cannot be told

    def shift(self, latents: Tensor, model: Denoiser) -> bool:
        if self.starts_there is not None or model.signal > 0 or bool(latents.any()):
            return False
        latents.copy_(self.inversion.at(model.sigma))
        return True

    def denoise(self, latents: Tensor, model: Denoiser) -> Tensor:
        if self.starts_there is None and not self.begins_late:
            self.begins_late = begins_late(self.inversion, model.sigma)
        if self.starts_there is None and not self.begins_late:
            right = self.inversion.with_noise_of(0, model.sigma)[0].to(latents)
            off = (latents[self.row] - right).square().mean().sqrt()
            self.starts_there = bool(off <= AS_IT_WAS * model.sigma)
        return super().denoise(latents, model)

    def finish(self, latents: Tensor) -> str | None:
        lines = [f"Image {self.row} is your picture."]
        if self.starts_there is False:
            lines.append(
                "The run did not start at the inversion's noise: turn the sampler's own noise off "
                "(add_noise), give it this node's LATENT, and the inversion's scheduler and number of steps."
            )
        if self.begins_late:
            lines.append(BEGAN_LATE)
        return " ".join(lines)
