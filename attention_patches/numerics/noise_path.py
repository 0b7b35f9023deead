"""How a noisy state holds its picture, by sigma.

The host has two kinds of states. Models that predict noise or velocity in the scale of Karras et al. (SD1.5,
SD2, SDXL, Cosmos-Predict2) have picture + sigma * noise. Rectified flow (Liu, Gong, Liu, ICLR 2023; Flux, SD3
and their kin) has (1 - sigma) * picture + sigma * noise, with sigma in 0..1. In both, with D the picture that
is expected at x, (x - D) / sigma is the direction in which x moves as sigma grows, so a step of DDIM and one
of Euler along the flow are the same formula.
"""

from typing import Literal

from torch import Tensor

NoisePath = Literal["variance exploding", "rectified flow"]


def kept(path: NoisePath, sigma: float) -> float:
    """The factor of the picture in a state."""
    return 1.0 - sigma if path == "rectified flow" else 1.0


def noisy(path: NoisePath, picture: Tensor, noise: Tensor, sigma: float) -> Tensor:
    """The state of a picture under this noise."""
    return kept(path, sigma) * picture + sigma * noise


def noise_in(path: NoisePath, state: Tensor, picture: Tensor, sigma: float) -> Tensor:
    """The noise under which a picture is in this state; sigma is above 0."""
    return (state - kept(path, sigma) * picture) / sigma
