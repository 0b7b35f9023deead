"""How near numbers must be to each other that were computed in another order: said here, for every device."""

import os

import torch
from torch import Tensor

SLACK = 4.0 if "cuda" in os.environ.get("ATTENTION_CONTROL_DEVICE", "") else 1.0
"""A graphics card adds in another order for each shape of a batch; the processor differs less."""


def nearly(actual: Tensor, expected: Tensor, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
    """`torch.allclose`, wherever the two are, in float64. The tolerances are those of the processor."""
    ours, theirs = actual.detach().cpu().double(), expected.detach().cpu().double()
    return torch.allclose(ours, theirs, rtol=rtol * SLACK, atol=atol * SLACK)


def difference(actual: Tensor, expected: Tensor) -> float:
    """The largest difference over the root mean square of `expected`, as the processor would have it."""
    ours, theirs = actual.detach().cpu(), expected.detach().cpu()
    return float((ours - theirs).abs().max() / theirs.square().mean().sqrt()) / SLACK
