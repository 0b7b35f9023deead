"""Processes that train together take the steps that one takes with the whole batch."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import torch
from attention_control.demo_model.training.optimizers import Optimizer, split
from attention_control.demo_model.training.together import Together
from torch import distributed, nn

PATHS = [str(Path(__file__).parents[2] / "scripts"), str(Path(__file__).parent)]
OTHER = f"""
import sys
sys.path[:0] = {PATHS}
from pack import load_pack
load_pack()
from test_training_together import train
train()
"""


def train():
    """Weights after five steps of a small network, and the last step's gradients."""
    together = Together.join()
    torch.manual_seed(together.rank)
    shapes = ((6, 8), (8, 6), (6, 8), (8, 4))  # two of a shape, so that one is left over for two processes
    network = nn.Sequential(*(part for shape in shapes for part in (nn.Linear(*shape), nn.GELU())))
    together.share(network.parameters())
    torch.manual_seed(0)
    optimizer = Optimizer(*split(network, ("6",)), 0.02, 2e-3, together)
    inputs, wanted = torch.randn(5, 8, 6), torch.randn(5, 8, 4)
    mine = slice(together.rank, None, together.size)
    for x, y in zip(inputs, wanted, strict=True):
        (network(x[mine]) - y[mine]).square().mean().backward()
        together.average_gradients(network.parameters())
        gradients = [p.grad for p in network.parameters()]
        (scale,) = together.agree(1.0 - 0.5 * together.rank)
        optimizer.step(scale)
    together.leave()
    return [*network.parameters(), *gradients]


def test_two_processes_with_halves_of_a_batch_equal_one_with_all_of_it(monkeypatch):
    alone = train()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}
    other = subprocess.Popen([sys.executable, "-c", OTHER], env=os.environ | meeting | {"RANK": "1"})
    try:
        for name, value in (meeting | {"RANK": "0"}).items():
            monkeypatch.setenv(name, value)
        halves = train()
        assert other.wait(60) == 0
    finally:
        other.kill()
        if distributed.is_initialized():
            distributed.destroy_process_group()
    for whole, half in zip(alone, halves, strict=True):
        assert torch.allclose(whole, half, atol=1e-5)
