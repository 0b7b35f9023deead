"""What AttentionMapViewer gives the browser: the recorded probabilities as 8-bit atlases."""

import pytest
import torch

from .viewing import CONTENT, PROMPT, STEPS, pixels, record, view, word_map

pytestmark = pytest.mark.usefixtures("temp")


@pytest.fixture(scope="module")
def store(clip):
    return record(clip)


def test_cross_atlases_decode_to_the_recorded_probabilities(store, clip):
    """A column per word, a row per slice and one for their mean; every layer by itself."""
    maps, payload = store.read(), view(store, clip, prompt=PROMPT)[2]
    for image, entries in enumerate(x["cross"] for x in payload["images"]):
        assert [entry["layer"] for entry in entries] == [None, *range(len(maps.layers))]
        for entry in entries[1:]:
            layer, (w, h) = maps.layers[entry["layer"]], entry["tile"]
            tiles = pixels(entry["file"]).unflatten(0, (-1, h)).unflatten(2, (-1, w)).transpose(1, 2)
            assert tiles.shape[:2] == (STEPS + 1, len(CONTENT)) and (h, w) == layer.grid
            for row, slices in enumerate([[0], [1], [2], [0, 1, 2]]):
                for column, word in enumerate(payload["words"]):
                    scale = entry["scale"][row][column]
                    wanted = word_map(layer, image, word["positions"], slices)
                    assert (tiles[row, column] / 255 * scale - wanted).abs().max() <= scale / 255


def test_self_atlases_decode_to_the_recorded_rows(store):
    """Row n is where token n looks over its maximum; for each layer, each slice and the mean over time."""
    maps, payload = store.read(), view(store, mode="self")[2]
    for image, entries in enumerate(x["self"] for x in payload["images"]):
        found = {(entry["layer"], entry["slice"]): entry for entry in entries}
        assert set(found) == {(n, s) for n in (None, *range(len(maps.layers))) for s in (None, 0, 1, 2)}
        for (n, s), entry in found.items():
            finest = max((x.grid for x in maps.layers), key=lambda g: g[0] * g[1])
            layers = [maps.layers[n]] if n is not None else [x for x in maps.layers if x.grid == finest]
            slices = [s] if s is not None else [0, 1, 2]
            kept = torch.stack(
                [x.self_attention["positive"][slices, image, 0].float().mean(0) for x in layers]
            )
            rows = kept.mean(0)
            assert tuple(entry["grid"]) == layers[0].grid
            assert (pixels(entry["file"]) / 255 - rows / rows.amax(-1, keepdim=True)).abs().max() <= 1 / 255


def test_a_twin_is_seen_as_the_picture_sees_itself(clip):
    """With two equal pictures the correspondence is the self-attention: queries, keys and scale are right."""
    twins = record(clip, equal=True)
    _, _, payload = view(twins, mode="correspondence")
    first, second = payload["images"]
    own = {(x["layer"], x["slice"]): pixels(x["file"]) for x in first["self"]}
    assert {x["other"] for x in first["correspondence"]} == {1}
    assert {x["other"] for x in second["correspondence"]} == {0}
    for entry in first["correspondence"]:
        seen = pixels(entry["file"]).int()
        assert (seen - own[entry["layer"], entry["slice"]].int()).abs().max() <= 2
        assert entry["grid"] == entry["other_grid"]
    assert len(first["correspondence"]) == 4 * len(twins.read().layers)


def test_correspondence_goes_from_a_picture_to_the_other(store):
    """Queries of the picture that holds the entry, keys of the other one, against the naive softmax."""
    maps, payload = store.read(), view(store, mode="correspondence")[2]
    for image, entries in enumerate(x["correspondence"] for x in payload["images"]):
        for entry in (x for x in entries if x["slice"] is not None):
            layer = maps.layers[entry["layer"]]
            q = layer.queries["positive"][entry["slice"], image].double()
            k = layer.keys["positive"][entry["slice"], entry["other"]].double()
            rows = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1).mean(0)
            wanted = (rows / rows.amax(-1, keepdim=True) * 255).round()
            assert (pixels(entry["file"]) - wanted).abs().max() <= 1
