"""What a noise mask leaves out of a run along an inversion: there the picture stays itself."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ....attention_patches.inversion.inversion import Inversion
from ....attention_patches.inversion.trajectories import AfterStep
from ..frames import of_one_frame

MaskAt = Callable[[float], Tensor]
"""A noise mask (B, C, h, w) at a sigma: 1 where the run may change the picture."""


def changing_mask(mask: Tensor, model: Any, sigmas: Tensor, extra_args: dict[str, Any]) -> MaskAt:
    """The host's noise mask, as a node on the model changes it with the steps (Differential Diffusion)."""
    change = extra_args.get("model_options", {}).get("denoise_mask_function")

    def mask_at(sigma: float) -> Tensor:
        if change is None:
            return of_one_frame(mask)
        further = {"model": model, "sigmas": sigmas}
        changed: Tensor = change(sigmas.new_full((len(mask),), sigma), mask, extra_options=further)
        return of_one_frame(changed)

    return mask_at


def left_out(inversion: Inversion, mask_at: MaskAt, after_step: AfterStep | None) -> AfterStep:
    """After each step, behind what else comes there: what the mask leaves out is the inverted picture's own
    state, and in the end the picture."""
    levels = inversion.sigmas.tolist()

    def kept(latents: Tensor, done: int) -> Tensor:
        if after_step is not None:
            latents = after_step(latents, done)
        # the host's last blend is in its last step, which begins at some noise
        mask = mask_at(levels[min(done, inversion.steps - 1)]).to(latents)
        return latents * mask + inversion.states[done].to(latents) * (1 - mask)

    return kept
