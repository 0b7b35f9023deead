"""AdaIN: one tensor with the mean and deviation of another.

Huang, Belongie, "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization", ICCV 2017.
"""

import torch
from torch import Tensor

EPS = 1e-5  # of the code of StyleAligned and of Cross-Image Attention


def adain(x: Tensor, reference: Tensor) -> Tensor:
    """Give `x` (..., N, d) the mean and deviation over the tokens of `reference` (..., M, d), per channel.

    Unbiased variance plus 1e-5, statistics in float32, result in the dtype of `x`.
    """
    mean_x, std_x = _statistics(x)
    mean_r, std_r = _statistics(reference)
    return torch.addcmul(mean_r, x.float() - mean_x, std_r / std_x).to(x.dtype)


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.float()
    unbiased = min(1, x.shape[-2] - 1)  # a single token has no spread
    variance, mean = torch.var_mean(x, dim=-2, keepdim=True, correction=unbiased)
    return mean, (variance + EPS).sqrt()
