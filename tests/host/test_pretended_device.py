"""The pretended device refuses what torch refuses, by torch's own tensors without values."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from .pretended_device import PRETENDED, pretended_device

CALLS: dict[str, Callable[[Tensor, Tensor], object]] = {  # of three numbers there and three numbers here
    "sum": lambda there, here: there + here,
    "with a single number from here": lambda there, here: there + here.sum(),
    "with a single number from there": lambda there, here: here + there.sum(),
    "in place": lambda there, here: here.add_(there),
    "copy": lambda there, here: there.copy_(here),
    "copy back": lambda there, here: here.copy_(there),
    "cat": lambda there, here: torch.cat([there, here]),
    "part by places from here": lambda there, here: there[here.long()],
    "fill by places from here": lambda there, here: there.__setitem__(here.long(), 0.0),
    "fill by places with values from here": lambda there, here: there.__setitem__(there.long(), here),
    "fill a part": lambda there, here: there[:2].__setitem__(slice(None), here[1:]),
    "mask": lambda there, here: there.masked_fill(here > 0, 0.0),
    "where": lambda there, here: torch.where(there > 0, there, here),
    "where, a number": lambda there, here: torch.where(there > 0, there, here.sum()),
    "where, a condition": lambda there, here: torch.where(here > 0, there, there),
    "linear": lambda there, here: F.linear(there[None], here[None]),
    "layer norm": lambda there, here: F.layer_norm(there[None], (3,), here, here),
    "attention": lambda there, here: F.scaled_dot_product_attention(
        *[there[None, :, None]] * 3, here.expand(3, 3)[None]
    ),
    "lerp": lambda there, here: there.lerp_(here, 0.5),
    "gather": lambda there, here: there.gather(0, here.long()),
    "equal": lambda there, here: there == here,
    "clamp": lambda there, here: there.clamp(min=here),
    "moved": lambda there, here: here.to(there) + here.to(there.device) + there,
    "of that type": lambda there, here: here.type_as(there) + there,
    "of that size": lambda there, here: there.expand_as(here) + there,
    "new": lambda there, here: there.new_zeros(3) + torch.zeros_like(there) + there,
    "new, from a list": lambda there, here: there + torch.tensor([1.0, 2.0, 3.0]),
    "new, there": lambda there, here: there + torch.tensor([1.0, 2.0, 3.0], device=there.device),
    "parts": lambda there, here: there.split(1)[0] + there[None, :, None].flatten().view(3) + there.sum(),
}


def refused(call: Callable[[Tensor, Tensor], object], device: torch.device | str) -> bool:
    """Whether a call with tensors of the device and of the processor is an error."""
    try:
        call(torch.ones(3, device=device), torch.ones(3))
    except RuntimeError:
        return True
    return False


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_it_refuses_what_torch_refuses(call: Callable[[Tensor, Tensor], object]) -> None:
    """A graphics card's tensors without values stand for the card."""
    with FakeTensorMode():
        expected = refused(call, "cuda")
    with pretended_device():
        assert refused(call, PRETENDED) == expected


def test_gradients_stay_on_it() -> None:
    """Also where a part is computed again in the backward pass."""
    with pretended_device():
        leaf, seen = torch.ones(3, device=PRETENDED, requires_grad=True), []

        def part(x: Tensor) -> Tensor:
            seen.append(x.device)
            return x * torch.full((3,), 2.0, device=PRETENDED)

        checkpoint(part, leaf, use_reentrant=True).sum().backward()
        assert seen == [PRETENDED, PRETENDED]
        assert leaf.grad is not None and leaf.grad.device == PRETENDED
        assert leaf.grad.tolist() == [2.0, 2.0, 2.0]


def test_values_reach_numpy_from_the_processor_alone() -> None:
    """As with a graphics card."""
    with pretended_device():
        there = torch.ones(3, device=PRETENDED)
        with pytest.raises(TypeError, match="numpy"):
            there.numpy()
        assert there.cpu().numpy().tolist() == there.tolist() == [1.0, 1.0, 1.0]
