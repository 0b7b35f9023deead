"""Correspondence between two images, against a naive float64 version."""

from dataclasses import replace

import pytest
import torch
from attention_control.attention_patches.maps import correspondence
from attention_control.attention_patches.maps.averages import recorded_layers
from attention_control.attention_patches.maps.correspondence import correspondence_of

from .recorded import recorded, without


def naive(layer, a, b, slices):
    """Every head and slice by itself, then the mean."""
    maps = []
    for s in slices:
        for q, k in zip(layer.queries["positive"][s, a], layer.keys["positive"][s, b], strict=True):
            logits = q.double() @ k.double().T / q.shape[-1] ** 0.5
            maps.append(logits.exp() / logits.exp().sum(-1, keepdim=True))
    return sum(maps) / len(maps)


@pytest.mark.parametrize("chunk", [1, 7, 10**9])
@pytest.mark.parametrize("slices", [None, [1], [0, 2]])
def test_equals_the_naive_version(monkeypatch, chunk, slices):
    """Whatever the size of the query chunks; queries of the first image, keys of the second."""
    layer = recorded().layers[0]
    heads, tokens = 2, 24
    monkeypatch.setattr(correspondence, "MAP_BYTES", 4 * heads * tokens * chunk)
    got = correspondence_of(layer, (1, 0), slices=slices)
    assert torch.allclose(got.double(), naive(layer, 1, 0, slices or range(3)), atol=1e-6)


def test_some_queries_are_rows_of_the_whole():
    """What a click asks for."""
    layer = recorded().layers[0]
    whole = correspondence_of(layer, (0, 1))
    assert torch.allclose(correspondence_of(layer, (0, 1), queries=[3, 17]), whole[[3, 17]], atol=1e-6)


def test_equal_images_correspond_point_to_point():
    """Where keys are as queries, each token of one image finds itself in its twin."""
    layer = recorded(width=32).layers[0]
    q = torch.nn.functional.normalize(layer.queries["positive"].float(), dim=-1) * 20
    twins = q[:, :1].expand(-1, 2, -1, -1, -1)
    same = replace(layer, queries={"positive": twins}, keys={"positive": twins})
    assert torch.equal(correspondence_of(same, (0, 1)).argmax(-1), torch.arange(24))


def test_what_was_not_kept_is_named():
    """Without queries and keys at all, and for layers that lack them."""
    maps = recorded()
    with pytest.raises(ValueError, match="queries_and_keys"):
        recorded_layers(without(maps, "queries"), None, "positive", "queries")
    with pytest.raises(ValueError, match=r"Recorded are: 1, 2, 3\."):
        recorded_layers(maps, {9}, "positive", "queries")
    found = recorded_layers(maps, {2, 3}, "positive", "queries")
    assert [x.layer.ordinal for x in found] == [2, 3]
