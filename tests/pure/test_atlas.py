"""Atlases: what a browser reads off them is what was recorded."""

import pytest
import torch
from attention_control.nodes.pictures.atlases import detail
from attention_control.nodes.pictures.atlases.atlas import (
    row_atlas,
    shrunk,
    shrunk_grid,
    shrunk_rows,
    tile_atlas,
)
from attention_control.nodes.pictures.atlases.atlas_files import AtlasFiles
from attention_control.nodes.pictures.atlases.detail import (
    SELF_BYTES,
    fitting,
    pair_limit,
    row_limits,
    tile_limits,
)
from attention_control.nodes.pictures.atlases.payload import payload
from attention_control.nodes.pictures.view import make_view

from .recorded import recorded


def seen(maps, time="all", words=""):
    """A view of recorded maps, of all that they hold."""
    choice = {"tokens": None, "words": words, "layer": "all", "time": time, "role": "positive"}
    look = {"point": (0.5, 0.5), "colour_map": "magma", "threshold": 0.5}
    return make_view(maps, torch.zeros(2, 16, 16, 3), **choice, **look)


def test_tiles_decode_to_the_values():
    """Rows and columns in the given order, each value within 1/255 of its tile's scale."""
    maps = (
        torch.rand(3, 4, 5, 7, generator=torch.Generator().manual_seed(0))
        * torch.logspace(-5, 0, 4)[:, None, None]
    )
    maps[2, 1] = 0
    atlas, scale = tile_atlas(maps)
    assert atlas.shape == (3 * 5, 4 * 7) and atlas.dtype == "uint8"
    for row in range(3):
        for column in range(4):
            tile = atlas[row * 5 : row * 5 + 5, column * 7 : column * 7 + 7]
            decoded = torch.from_numpy(tile.astype("float32")) / 255 * scale[row][column]
            assert (decoded - maps[row, column]).abs().max() <= maps[row, column].max() / 255
    assert scale[2][1] == 0


def test_rows_decode_up_to_their_maximum():
    """Row n is where token n looks; 255 is its strongest token."""
    rows = torch.rand(6, 8, generator=torch.Generator().manual_seed(1)) * torch.logspace(-4, 0, 6)[:, None]
    atlas = torch.from_numpy(row_atlas(rows).astype("float32"))
    assert atlas.amax(-1).tolist() == [255] * 6
    assert (atlas / 255 * rows.amax(-1, keepdim=True) - rows).abs().max() <= rows.max() / 255


@pytest.mark.parametrize(
    ("grid", "limit", "small"),
    [((32, 32), 1024, (32, 32)), ((64, 64), 1024, (32, 32)), ((33, 47), 1024, (17, 24)), ((5, 3), 4, (2, 1))],
)
def test_grids_are_halved_until_they_fit(grid, limit, small):
    """Rounded up, so that no edge is lost."""
    assert shrunk_grid(grid, limit) == small
    assert shrunk(torch.rand(1, 2, *grid), limit).shape == (1, 2, *small)


def test_shrunk_rows_are_means_over_blocks_of_two():
    """Over queries and over keys, against the loop."""
    rows = torch.rand(24, 24, generator=torch.Generator().manual_seed(2)).softmax(-1)
    by_place = rows.unflatten(1, (4, 6)).unflatten(0, (4, 6))
    small = shrunk_rows(rows, (4, 6), 6).unflatten(1, (2, 3)).unflatten(0, (2, 3))
    for qy in range(2):
        for qx in range(3):
            for ky in range(2):
                for kx in range(3):
                    block = by_place[
                        2 * qy : 2 * qy + 2, 2 * qx : 2 * qx + 2, 2 * ky : 2 * ky + 2, 2 * kx : 2 * kx + 2
                    ]
                    assert small[qy, qx, ky, kx] == pytest.approx(block.mean().item(), abs=1e-7)


def test_detail_fits_the_budget():
    """The first group is served first, the next with what is left, and one that never fits is left out."""
    sizes = [lambda limit: limit, lambda limit: 10 * limit, lambda limit: 10**6, lambda limit: limit]
    assert fitting(sizes, 1024 + 2560 + 64) == [1024, 256, 0, 64]
    assert fitting(sizes, 10) == [0, 0, 0, 0]


def test_a_large_run_stays_within_the_budget():
    """1024 px SDXL: 60 layers of 32 x 32 and 10 of 64 x 64, 8 slices. The mean over layers stays fine."""
    mean, layer, moment = row_limits([(32, 32)] * 60, images=1, slices=8)
    assert (mean, layer, moment) == (1024, 256, 256)
    assert 9 * mean**2 + 60 * layer**2 + 60 * 8 * moment**2 <= SELF_BYTES
    assert tile_limits([(32, 32)] * 60 + [(64, 64)] * 10, tiles=15 * 9) == (4096, 4096)
    assert tile_limits([(32, 32)] * 60 + [(64, 64)] * 10, tiles=40 * 9) == (4096, 256)


def test_a_run_that_no_detail_fits_sends_nothing_of_that_kind(monkeypatch):
    """A thousand slices of 256 pictures: without self-attention, but without an error."""
    assert row_limits([(32, 32)] * 60, images=256, slices=1000) == (0, 0, 0)
    assert pair_limit([(32, 32)] * 60, pairs=240, slices=1000) == 0
    monkeypatch.setattr(detail, "SELF_BYTES", 0)
    monkeypatch.setattr(detail, "CORRESPONDENCE_BYTES", 0)
    files = AtlasFiles(seen(recorded()), save=lambda _: {})
    assert files.own(0) == files.correspondence(0) == []
    assert len(files.cross(0)) == 4


def test_atlases_of_many_words_are_no_larger_than_a_browser_draws():
    """512 words on a wide grid: coarser tiles, not a picture of 65536 pixels across, which shows nothing."""
    sizes = []
    view = seen(recorded([(2, 128)], tokens=514), words=", ".join(f"token {n}" for n in range(1, 513)))
    files = AtlasFiles(view, save=lambda atlas: sizes.append(atlas.shape))
    assert [entry["tile"] for entry in files.cross(0)] == [[32, 1], [32, 1]]
    assert sizes == [(4, 512 * 32)] * 2


@pytest.mark.parametrize(
    ("slices_that_fit", "time", "sent"),
    [(3, "all", [None, 0, 1, 2]), (2, "all", [0, 2]), (1, "all", [1]), (1, "3", [2]), (0, "all", [])],
)
def test_counterparts_of_fewer_times_where_all_take_too_long(monkeypatch, slices_that_fit, time, sent):
    """Of the times that are asked for, the middle first; where none fits, the viewer says why it has none."""
    view = seen(recorded([(4, 6)]), time=time)
    pairs, heads, tokens = 2, 2, 24
    monkeypatch.setattr(detail, "CORRESPONDENCE_WORK", slices_that_fit * pairs * heads * tokens**2)
    shown = payload(view, "correspondence", "queries", save=lambda _: {})
    entries = shown["images"][0]["correspondence"]
    assert [entry["slice"] for entry in entries] == sent
    assert ("too long" in shown["remark"] and "24 tokens" in shown["remark"]) == (not sent)
    assert payload(view, "words", "queries", save=lambda _: {})["remark"] == ""


def test_twice_shrunk_rows_and_odd_grids():
    """Halved as often as needed; a row that looks everywhere still does, also on an odd grid."""
    even = shrunk_rows(torch.full((16 * 24, 16 * 24), 0.5), (16, 24), 24)
    odd = shrunk_rows(torch.full((15 * 9, 15 * 9), 0.5), (15, 9), 40)
    assert even.shape == (24, 24) and odd.shape == (40, 40)
    assert torch.allclose(even, torch.tensor(0.5)) and torch.allclose(odd, torch.tensor(0.5))
    place = torch.zeros(15 * 9, 15 * 9)
    place[14 * 9 + 8, 0] = 1  # the last token looks at the first
    assert shrunk_rows(place, (15, 9), 40).argmax() == 39 * 40
