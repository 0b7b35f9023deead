"""Pictures as methods see them, (B, C, h, w), where the host has videos of one frame, (B, C, 1, h, w)."""

from torch import Tensor


def of_one_frame(latents: Tensor) -> Tensor:
    """The frame (..., C, h, w) of videos (..., C, 1, h, w), a view; pictures (B, C, h, w) as they are."""
    return latents.select(-3, 0) if latents.ndim > 4 else latents


def as_video(latents: Tensor, like: Tensor) -> Tensor:
    """Pictures (..., C, h, w) as the host has `like` them, a view."""
    return latents.unsqueeze(-3) if like.ndim > 4 else latents
