"""Statistics over an image and its reference, for those rows that are used."""

import pytest
import torch
from attention_control.attention_patches.contract.call.site import Rows
from attention_control.attention_patches.methods.style_aligned.group_norm import SharedGroupNorm
from torch.nn.functional import group_norm
from torch.utils._python_dispatch import TorchDispatchMode


class Normed(TorchDispatchMode):
    """Counts the numbers that are normalised."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.native_group_norm.default:
            self.numbers += args[0].numel()
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("reference", [0, 1, 2])
def test_no_row_is_normalised_for_nothing(reference):
    """The reference by itself, and the others with it at their side; each equals the stack in float64."""
    x = torch.randn(6, 8, 5, 3, generator=torch.manual_seed(0)) + torch.arange(6.0)[:, None, None, None]
    weight, bias = torch.rand(8), torch.rand(8)
    with Normed() as normed, SharedGroupNorm(Rows((1, 0), 3), reference):
        out = group_norm(x, 4, weight, bias)
    assert normed.numbers == 2 * (1 + 2 * 2) * 8 * 5 * 3
    for row in range(6):
        own = x[row // 3 * 3 + reference]
        if row % 3 == reference:
            assert torch.equal(out[row], group_norm(x, 4, weight, bias)[row])
        else:
            stack = torch.cat([x[row], own], dim=-2).double()[None]
            expected = group_norm(stack, 4, weight.double(), bias.double())[0, :, :5]
            assert torch.allclose(out[row].double(), expected, atol=1e-5)
