"""The viewer's arithmetic, in the browser without a server, against versions in Python."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pack import load_pack

Call = Callable[..., Any]


def heat(values: np.ndarray) -> dict[str, Any]:
    """A map (h, w) as the viewer holds it."""
    return {"values": values.ravel().tolist(), "size": [values.shape[1], values.shape[0]]}


def array(map_: dict[str, Any]) -> np.ndarray:
    """The viewer's map as (h, w)."""
    return np.array(map_["values"]).reshape(map_["size"][::-1])


@pytest.mark.parametrize(("cells", "size"), [((8, 8), (64, 64)), ((5, 9), (40, 117)), ((16, 24), (33, 50))])
def test_enlarging_is_cubic_convolution(call: Call, cells: Any, size: Any) -> None:
    """As Pillow's bicubic of the map stretched to 0..1, but for the borders, which Pillow treats apart."""
    values = np.random.default_rng(1).random(cells).astype(np.float32)
    stretched = (values - values.min()) / (values.max() - values.min())
    expected = np.asarray(Image.fromarray(stretched).resize(size[::-1], Image.Resampling.BICUBIC)).clip(0, 1)
    enlarged = array(call("resample", "enlarged", heat(values), list(size[::-1])))
    edge = [2 * side // cell + 1 for side, cell in zip(size, cells, strict=True)]
    inside = (slice(edge[0], -edge[0]), slice(edge[1], -edge[1]))
    assert enlarged.shape == size and enlarged[inside].size > 0
    np.testing.assert_allclose(enlarged[inside], expected[inside], atol=2e-4)


def test_flat_map_shows_nothing(call: Call) -> None:
    """A map that is the same everywhere, also 0, is not stretched."""
    for value in (0.0, 0.7):
        assert not array(call("resample", "enlarged", heat(np.full((4, 6), value)), [12, 8])).any()


def test_colours_are_those_of_the_nodes_pictures(call: Call) -> None:
    """Every colour map of the node's input, to the last step."""
    load_pack()
    from attention_control.nodes.pictures.colour_maps import COLOURS, colour_table

    for name in COLOURS:
        expected = (colour_table(name).numpy() * 255).round()
        assert np.abs(np.array(call("colormaps", "colormap", name)).reshape(256, 3) - expected).max() <= 1


def test_tiles_and_ranking_read_the_atlas(call: Call) -> None:
    """Against the array from which the atlas was laid out: each tile, and the probabilities of a cell."""
    rng = np.random.default_rng(2)
    tiles = rng.integers(0, 256, (4, 3, 5, 7))  # slices and mean, words, h, w
    scale = rng.random((4, 3))
    gray = {"width": 21, "height": 20, "values": tiles.transpose(0, 2, 1, 3).ravel().tolist()}
    for row, word in np.ndindex(4, 3):
        tile = array(call("atlas", "tileOf", gray, [7, 5], word, row))
        np.testing.assert_allclose(tile, tiles[row, word] / 255, atol=1e-6)
    entry = {"layer": None, "tile": [7, 5], "scale": scale.tolist()}
    ranked = call("atlas", "ranking", gray, entry, 2, [4.5 / 7, 1.5 / 5])
    expected = tiles[2, :, 1, 4] / 255 * scale[2]
    assert [entry["word"] for entry in ranked] == np.argsort(-expected).tolist()
    np.testing.assert_allclose([entry["probability"] for entry in ranked], np.sort(expected)[::-1])


def test_row_of_a_patch_is_that_of_its_token(call: Call) -> None:
    """Token n stands in row n, counted along the rows of the grid; its keys may be another picture's."""
    rows = np.random.default_rng(3).integers(0, 256, (12, 10))
    gray = {"width": 10, "height": 12, "values": rows.ravel().tolist()}
    found = array(call("atlas", "rowAt", gray, [3, 4], [2.5 / 4, 1.5 / 3], [2, 5]))
    np.testing.assert_allclose(found, rows[1 * 4 + 2].reshape(2, 5) / 255, atol=1e-6)
    assert call("atlas", "cellAt", [3, 4], [1.0, -0.2]) == [3, 0]


@pytest.mark.parametrize(("count", "picture"), [(1, (192, 128)), (2, (128, 128)), (2, (64, 200))])
def test_points_of_every_pane_are_found_again(call: Call, count: int, picture: Any) -> None:
    """Panes keep the picture's shape, lie inside and apart, and give back the point that was aimed at."""
    for space in ((500, 300), (300, 500), (90, 91)):
        panes = call("panes", "boxes", count, list(picture), list(space), 8)
        assert len(panes) == count
        for pane in panes:
            assert pane["width"] / pane["height"] == pytest.approx(picture[0] / picture[1])
            assert -1e-6 <= pane["x"] <= space[0] - pane["width"] + 1e-6
            assert -1e-6 <= pane["y"] <= space[1] - pane["height"] + 1e-6
            place = [pane["x"] + 0.3 * pane["width"], pane["y"] + 0.8 * pane["height"]]
            assert call("panes", "pointIn", panes, place) == pytest.approx([0.3, 0.8])
            assert call("panes", "pointIn", [pane], [pane["x"] - 1, pane["y"]]) is None
