"""The judge that was trained on photographs: its network, and what it measures."""

from types import ModuleType

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from pack import ROOT


@pytest.fixture(autouse=True)
def same_numbers() -> None:
    """Random pictures may agree by chance: these are always the same ones."""
    torch.manual_seed(0)


@pytest.fixture
def photographs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from measure.reading import photographs

    return photographs


def arrays(photographs: ModuleType) -> dict[str, np.ndarray]:
    """Random arrays under the names of the published file, its kernels (h, w, in, out)."""
    rng, found, before = np.random.default_rng(0), {}, 3
    for number, block in enumerate(photographs.BLOCKS, start=1):
        for at, width in enumerate(block):
            name = f"block{number}/layers/conv2d" + (f"_{at}" if at else "")
            found[f"{name}/vars/0"] = rng.normal(0, (2 / (9 * before)) ** 0.5, (3, 3, before, width))
            found[f"{name}/vars/1"] = rng.normal(0, 0.1, width)
            before = width
        found[f"dsn{number}/vars/0"] = rng.normal(0, 0.01, (1, 1, before, 1))
        found[f"dsn{number}/vars/1"] = rng.normal(0, 0.1, 1)
    found["fuse/vars/0"], found["fuse/vars/1"] = rng.normal(0, 1, (1, 1, 5, 1)), np.zeros(1)
    return found


def test_network_is_the_published_one(photographs: ModuleType) -> None:
    """Edges equal a plain walk through the arrays: 13 convolutions, poolings, five sides, one fusion."""
    given = arrays(photographs)
    judge = photographs.Photographs()
    judge.load_state_dict(photographs.named(given))
    pictures = torch.rand(1, 20, 13, 3, generator=torch.Generator().manual_seed(0))
    weights = {name: torch.from_numpy(np.asarray(value, np.float32)) for name, value in given.items()}

    def convolved(x: torch.Tensor, name: str) -> torch.Tensor:
        kernel = weights[f"{name}/vars/0"].permute(3, 2, 0, 1)
        return F.conv2d(x, kernel, weights[f"{name}/vars/1"], padding=kernel.shape[-1] // 2)

    blue_first = pictures.flip(-1) * 255 - torch.tensor([104.00699, 116.66877, 122.67892])
    x, sides = blue_first.permute(0, 3, 1, 2), []
    for number, count in enumerate((2, 2, 3, 3, 3), start=1):
        if number > 1:  # an odd side keeps its last pixel
            x = F.max_pool2d(F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2), value=-torch.inf), 2)
        for at in range(count):
            x = F.relu(convolved(x, f"block{number}/layers/conv2d" + (f"_{at}" if at else "")))
        sides.append(F.interpolate(convolved(x, f"dsn{number}"), (20, 13), mode="bilinear"))
    expected = torch.sigmoid(convolved(torch.cat(sides, 1), "fuse"))[0, 0]
    assert torch.allclose(judge.edges(pictures)[0], expected, atol=1e-4)


def test_texture_has_no_place(photographs: ModuleType) -> None:
    """The same features at other places are no distance, others are; it is symmetric and has no scale."""
    one = [torch.rand(2, 3, 4, 4), torch.rand(2, 5, 2, 2)]
    moved = [x.flatten(2)[:, :, torch.randperm(x[0, 0].numel())].view_as(x) for x in one]
    assert torch.allclose(photographs.gram_distance(one, moved), torch.zeros(2), atol=1e-5)
    other = [torch.rand_like(x) for x in one]
    apart = photographs.gram_distance(one, other)
    assert bool((apart > 0.05).all())
    assert torch.allclose(apart, photographs.gram_distance(other, one))
    assert torch.allclose(apart, photographs.gram_distance([3 * x for x in one], [3 * x for x in other]))


def test_edges_agree_by_place_and_not_by_strength(photographs: ModuleType) -> None:
    edges = torch.rand(2, 24, 24)
    rim = edges.clone()
    rim[:, :2] = 1  # what the zeros round a picture make of its rim
    assert torch.allclose(photographs.edge_agreement(edges, 0.5 * rim + 0.2), torch.ones(2), atol=0.02)
    assert bool((photographs.edge_agreement(edges, torch.rand(2, 24, 24)).abs() < 0.4).all())
