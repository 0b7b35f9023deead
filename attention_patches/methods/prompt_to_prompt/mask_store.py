"""The masks of a blend, kept for other nodes."""

from dataclasses import dataclass, field

from torch import Tensor

from ...maps.matching import explained, same_aspect
from ...maps.missed import MissedRuns

RUNS = 8  # that are kept: masks are small, and the host's cache may bring an earlier run's pictures back


@dataclass(eq=False)
class MaskStore:
    """What a BLEND_MASKS output carries: empty until a run that blends has ended."""

    runs: list[tuple[Tensor, Tensor]] = field(default_factory=list)  # (latents, masks), the last one first
    missed: MissedRuns = field(default_factory=MissedRuns)

    def add(self, latents: Tensor, masks: Tensor) -> None:
        """Keep the masks (images, h, w) of a run that made these latents (images, C, h, w)."""
        self.runs = [(latents.detach().cpu(), masks.float().cpu()), *self.runs][:RUNS]

    def read(self, images: Tensor) -> Tensor:
        """The masks (images, h, w), 0 or 1, of the run that made these pictures (images, H, W, 3).

        Raises ValueError if no run has left any, or none of so many images or this aspect ratio, or if a run
        that left none has rather made them.
        """
        if not self.runs:
            self.missed.check(images, 0.0, "masks")
            raise ValueError(
                "masks: nothing has been blended yet. Write `blend_words`, connect the node's MODEL to the "
                "sampler, and to `image` the pictures which that sampler makes, so that it runs first."
            )
        fitting = [run for run in self.runs if len(run[1]) == len(images)]
        if not fitting:
            self.missed.check(images, 0.0, "masks")
            raise ValueError(
                f"image: {len(images)} pictures, and the blend has masks of {len(self.runs[0][1])}. Connect "
                "all pictures of the run, the source and its edits, in their order."
            )
        height, width = images.shape[1:3]
        shaped = [
            run for run in fitting if same_aspect((run[0].shape[-2], run[0].shape[-1]), (height, width))
        ]
        if not shaped:
            self.missed.check(images, 0.0, "masks")
            rows, columns = fitting[0][0].shape[-2:]
            raise ValueError(
                f"image: {width} x {height} pixels, and the blend has masks of a latent of {columns} x "
                f"{rows} cells, which has another aspect ratio. Connect the pictures of the run; resized "
                "they may be, but not cropped."
            )
        fit, masks = max(((explained(latents, images), own) for latents, own in shaped), key=lambda x: x[0])
        self.missed.check(images, fit, "masks")
        return masks
