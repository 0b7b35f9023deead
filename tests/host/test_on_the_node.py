"""What a node shows while a run goes on; that it gets there is tested with a real server."""

import numpy as np
import torch
from attention_control.nodes.host.run.on_the_node import COLUMNS, SIDE, OnTheNode, in_tiles


def test_maps_are_tiles_in_rows():
    """Each cell is a square, each image in its place, four in a row, gray between and behind them."""
    maps = torch.rand(6, 3, 5, generator=torch.Generator().manual_seed(1))
    picture = np.asarray(in_tiles(maps))
    scale = -(-SIDE // 5)
    height, width = 3 * scale + 4, 5 * scale + 4
    assert picture.shape == (2 * height, COLUMNS * width)
    for image, cells in enumerate(maps):
        y, x = image // COLUMNS * height, image % COLUMNS * width
        tile = picture[y : y + height, x : x + width]
        middle = tile[2:-2, 2:-2][scale // 2 :: scale, scale // 2 :: scale]
        assert np.array_equal(middle, (cells * 255).round().byte().numpy())
        assert set(tile[:, 0].tolist()) == {64} == set(tile[0].tolist())
    assert set(picture[height:, 2 * width :].ravel().tolist()) == {64}


def test_without_a_server_nothing_is_made():
    """As in scripts; a node without an id shows nothing either."""
    for node in (OnTheNode("5"), OnTheNode(None)):
        node.tell("a line")
        node.draw(lambda: 1 / 0)
