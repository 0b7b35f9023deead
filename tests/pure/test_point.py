"""What a point of a picture looks at."""

import pytest
import torch
from attention_control.attention_patches.maps.correspondence import correspondence_of
from attention_control.attention_patches.maps.point import cell_at, correspondence_from, self_from, token_at

from .recorded import recorded


@pytest.mark.parametrize(
    ("point", "cell"),
    [((0, 0), (0, 0)), ((0.99, 0), (0, 5)), ((0, 0.99), (3, 0)), ((1, 1), (3, 5)), ((0.5, 0.25), (1, 3))],
)
def test_points_are_x_and_y_of_the_picture(point, cell):
    """x runs along the width; the far edges belong to the last row and column."""
    assert cell_at(point, (4, 6)) == cell
    assert token_at(point, (4, 6)) == cell[0] * 6 + cell[1]


def test_self_of_one_layer_is_its_row():
    """On the layer's own grid, a density: the probabilities times the number of tokens."""
    maps = recorded()
    got = self_from(maps, (0.5, 0.25), (4, 6), image=1, layers={3}, slices=[0, 2])
    row = maps.layers[2].self_attention["positive"][[0, 2], 1, 0, 9].float().mean(0)
    assert torch.allclose(got.flatten(), 24 * row, atol=1e-5)


def test_coarse_and_fine_layers_count_alike():
    """A row that looks everywhere is 1 everywhere on each grid, and so is the mean."""
    maps = recorded()
    for layer in maps.layers:
        layer.self_attention["positive"].fill_(1 / (layer.grid[0] * layer.grid[1]))
    assert torch.allclose(self_from(maps, (0.1, 0.9), (8, 12)), torch.ones(8, 12), atol=1e-3)


def test_correspondence_of_one_layer_is_its_row():
    """The point lies in the first image of the pair, the map on the second."""
    maps = recorded()
    got = correspondence_from(maps, (0.5, 0.25), (4, 6), images=(1, 0), layers={1})
    assert torch.allclose(got.flatten(), 24 * correspondence_of(maps.layers[0], (1, 0))[9], atol=1e-5)
