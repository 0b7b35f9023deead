"""AdaIN against float64, where half precision would lose the statistics."""

import pytest
import torch
from attention_control.attention_patches.numerics.adain import adain


def naive(x, r):
    """The formula in float64."""
    x, r = x.double(), r.double()
    spread_x, spread_r = ((y.var(-2, keepdim=True) + 1e-5).sqrt() for y in (x, r))
    return (x - x.mean(-2, keepdim=True)) / spread_x * spread_r + r.mean(-2, keepdim=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_statistics_are_float32(dtype):
    """Far from zero, with little spread, the result is right to the rounding of its dtype."""
    generator = torch.Generator().manual_seed(0)
    x = (20 + torch.randn(2, 3, 63, 8, generator=generator)).to(dtype)
    reference = torch.randn(2, 3, 63, 8, generator=generator).to(dtype)
    out = adain(x, reference)
    assert out.dtype == dtype
    error = (out.double() - naive(x, reference)).abs().max()
    assert error < 4 * max(torch.finfo(dtype).eps, 1e-5)


def test_a_single_token_takes_the_references_mean():
    """One token has no spread; it becomes the reference's, and nothing is undefined."""
    x, reference = torch.randn(1, 1, 1, 4), torch.randn(1, 1, 1, 4)
    assert torch.allclose(adain(x, reference), reference, atol=1e-6)
