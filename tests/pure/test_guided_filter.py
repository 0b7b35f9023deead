"""The guided filter against its definition, window by window, in float64."""

import numpy as np
import pytest
import torch
from attention_control.attention_patches.maps.self_segmentation import guided_filter as module
from attention_control.attention_patches.maps.self_segmentation.guided_filter import guided_filter

HEIGHT, WIDTH, RADIUS, EPS = 9, 13, 2, 1e-2


def random(*shape, seed=0):
    """Numbers in 0..1."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def windows():
    """Rows and columns of the window round each place, cut off at the borders."""
    for y in range(HEIGHT):
        for x in range(WIDTH):
            rows = slice(max(0, y - RADIUS), y + RADIUS + 1)
            yield (y, x), (rows, slice(max(0, x - RADIUS), x + RADIUS + 1))


def naive(values, guide):
    """(h, w) and (3, h, w): the least-squares functions of all windows, their mean applied at each place."""
    values, guide = values.double().numpy(), guide.double().numpy()
    slopes, offsets = np.zeros((3, HEIGHT, WIDTH)), np.zeros((HEIGHT, WIDTH))
    for (y, x), (rows, columns) in windows():
        colours = guide[:, rows, columns].reshape(3, -1)
        wanted = values[rows, columns].flatten()
        covariance = np.cov(colours, bias=True) + EPS * np.eye(3)
        shared = (colours * wanted).mean(1) - colours.mean(1) * wanted.mean()
        slopes[:, y, x] = np.linalg.solve(covariance, shared)
        offsets[y, x] = wanted.mean() - slopes[:, y, x] @ colours.mean(1)
    out = np.zeros((HEIGHT, WIDTH))
    for (y, x), (rows, columns) in windows():
        slope = slopes[:, rows, columns].reshape(3, -1).mean(1)
        out[y, x] = slope @ guide[:, y, x] + offsets[rows, columns].mean()
    return torch.from_numpy(out)


def test_it_is_the_mean_of_the_least_squares_functions():
    """Equal to a loop over all windows, for each map by itself."""
    values, guide = random(2, HEIGHT, WIDTH), random(3, HEIGHT, WIDTH, seed=1)
    out = guided_filter(values, guide, RADIUS / WIDTH, EPS)
    for got, value in zip(out, values, strict=True):
        assert (got - naive(value, guide)).abs().max() < 1e-4


@pytest.mark.parametrize("limit", [384, 8], ids=["full", "on a smaller copy"])
def test_shares_stay_shares(monkeypatch, limit):
    """Maps that add up to 1 everywhere still do, in whatever size they come and go."""
    monkeypatch.setattr(module, "LONGEST", limit)
    shares = random(4, 5, 7).softmax(0)
    out = guided_filter(shares, random(3, 30, 42, seed=1), 0.1)
    assert out.shape == (4, 30, 42)
    assert (out.sum(0) - 1).abs().max() < 1e-4


def test_a_function_of_the_colours_passes_unchanged():
    """What is linear in the picture's colours is its own least-squares fit."""
    guide = random(3, 20, 31, seed=2)
    values = torch.stack([guide[0] - guide[2], 0.3 + 0.5 * guide[1]])
    assert (guided_filter(values, guide, 0.2, eps=1e-7) - values).abs().max() < 1e-3


def test_a_flat_picture_only_smooths():
    """Without edges to follow each value becomes a mean of means round it."""
    values = torch.zeros(1, 15, 15)
    values[0, 7, 7] = 1
    out = guided_filter(values, torch.full((3, 15, 15), 0.5), 1 / 15)
    assert torch.allclose(out[0, 7, 5:10], torch.tensor([3.0, 6.0, 9.0, 6.0, 3.0]) / 81, atol=1e-5)
    assert out[0, :4].abs().max() < 1e-6


def test_large_pictures_are_followed_from_a_smaller_copy(monkeypatch):
    """An edge of the full picture stays sharp though the functions come from a copy a quarter as wide."""
    monkeypatch.setattr(module, "LONGEST", 40)
    guide = torch.full((3, 160, 160), 0.2)
    guide[:, :, 81:] = 0.8
    coarse = torch.zeros(1, 10, 10)
    coarse[..., 5:] = 1  # the border of the coarse map lies at column 80
    out = guided_filter(coarse, guide, 0.2)[0]
    assert torch.equal(out > 0.5, guide[0] > 0.5)
    assert (out[:, 81] - out[:, 80]).min() > 0.5
