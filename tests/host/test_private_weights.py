"""Code of the host and of other packs that writes into its own buffers, while a graph is recorded."""

from collections.abc import Callable

import pytest
import torch
from attention_control.nodes.host.private_weights import PrivateWeights
from torch import Tensor
from torch.nn import functional as F


def increase(buffer: Tensor) -> None:
    buffer += 1


WRITES: dict[str, Callable[[Tensor], object]] = {
    "copy_": lambda buffer: buffer.copy_(torch.ones(2, 3)),
    "add_": lambda buffer: buffer.add_(1),
    "+=": increase,
    "zero_": lambda buffer: buffer.zero_(),
    "item": lambda buffer: buffer.__setitem__((0, 1), 5.0),
    "items": lambda buffer: buffer.__setitem__(buffer > 2, 5.0),
    "a part": lambda buffer: buffer[1:].mul_(2),
    "a view of a part": lambda buffer: buffer.view(-1)[2:].t().add_(1),
    "out": lambda buffer: torch.add(torch.ones(2, 3), 1, out=buffer),
    "data": lambda buffer: buffer.data.fill_(4.0),
    "with another buffer": lambda buffer: buffer.addcmul_(buffer, buffer.clone()),
}


@pytest.mark.parametrize("grad", [True, False], ids=["graph", "no graph"])
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_what_is_written_is_there(write: Callable[[Tensor], object], grad: bool) -> None:
    """As in any run of the host, which computes in inference mode."""
    with torch.inference_mode():
        buffer, expected = (torch.arange(6.0).reshape(2, 3) for _ in range(2))
        write(expected)
        with torch.inference_mode(False), torch.set_grad_enabled(grad), PrivateWeights():
            write(buffer)
        assert torch.equal(buffer, expected)
        assert not torch.equal(buffer, torch.arange(6.0).reshape(2, 3))


def test_a_buffer_for_the_weights_of_all_layers() -> None:
    """Cast into one place layer by layer, with what a LoRA adds: the graph keeps the weights of each."""
    draw = torch.Generator().manual_seed(1)
    with torch.inference_mode():
        weights, changes = (torch.randn(3, 4, 4, generator=draw) for _ in range(2))
        buffer = torch.empty(4, 4)
    x = torch.randn(3, 4, generator=draw, requires_grad=True)

    h = x
    for weight, change in zip(weights.clone(), changes.clone(), strict=True):
        h = (h @ (weight + 0.5 * change).T).sin()
    (expected,) = torch.autograd.grad(h.sum(), x)

    h = x
    with PrivateWeights():
        for weight, change in zip(weights, changes, strict=True):
            buffer.copy_(weight)
            buffer.add_(change, alpha=0.5)
            h = F.linear(h, buffer).sin()
    assert torch.allclose(torch.autograd.grad(h.sum(), x)[0], expected)


def test_weights_that_ask_for_a_gradient_get_none() -> None:
    """As those of older hosts do: of the latents' gradient nothing is lost, and what hangs on no latent needs
    no graph."""
    with torch.inference_mode():
        weight = torch.nn.Parameter(torch.arange(16.0).reshape(4, 4))
    assert weight.requires_grad and weight.is_inference()
    x = torch.ones(2, 4, requires_grad=True)
    with PrivateWeights():
        time = F.linear(torch.ones(2, 4), weight)
        loss = (F.linear(x, weight) * time).sum()
    loss.backward()
    assert not time.requires_grad and weight.grad is None
    assert x.grad is not None and torch.allclose(x.grad, time @ weight.detach().clone())


def test_a_gradient_is_not_lost_in_a_buffer() -> None:
    """What depends on the latents can't be kept in an inference tensor: torch says so."""
    with torch.inference_mode():
        buffer = torch.zeros(3)
    x = torch.ones(3, requires_grad=True)
    with PrivateWeights(), pytest.raises(RuntimeError, match="nference"):
        buffer.copy_(x * 2)
