"""Components of self-attention against a plain singular value decomposition, and what their colours mean."""

from dataclasses import replace

import pytest
import torch
from attention_control.attention_patches.maps import components as module
from attention_control.attention_patches.maps.components import components

from .recorded import recorded, without


def naive(samples):
    """(samples, features) -> (samples, 3) scores by SVD in float64, each of unknown sign."""
    centred = samples.double() - samples.double().mean(0)
    u, s, _ = torch.linalg.svd(centred, full_matrices=False)
    return u[:, :3] * s[:3]


def scaled(scores):
    """Min-max over all samples."""
    low, high = scores.amin(0), scores.amax(0)
    return (scores - low) / (high - low)


def assert_up_to_sign(got, scores):
    """Each component is the scaled score or its mirror image."""
    got, right = got.flatten(0, -2).double(), scaled(scores)
    for c in range(3):
        distance = min((got[:, c] - x).abs().max() for x in (right[:, c], 1 - right[:, c]))
        assert distance < 1e-3


def rows(maps, layers):
    """All rows of self-attention of these layers' mean, slice by slice and image by image."""
    kept = [x.self_attention["positive"] for x in maps.layers if x.layer.ordinal in layers]
    return torch.stack(kept).float().mean((0, 3)).flatten(0, 2)


@pytest.mark.parametrize("exact", [2048, 0], ids=["covariance", "randomized"])
def test_rows_of_self_attention_equal_an_svd(monkeypatch, exact):
    """Of layers with several grids the finest count: layers 1 and 3, fitted over all images and slices."""
    monkeypatch.setattr(module, "EXACT", exact)
    maps = recorded()
    colours = components(maps)
    assert colours.shape == (3, 2, 4, 6, 3)
    assert_up_to_sign(colours, naive(rows(maps, {1, 3})))


@pytest.mark.parametrize("features", ["queries", "keys"])
def test_queries_and_keys_equal_an_svd(features):
    """Heads and layers side by side are the features of a token."""
    maps = recorded()
    kept = [getattr(maps.layers[n], features)["positive"].float() for n in (0, 2)]
    tokens = torch.cat([x.permute(0, 1, 3, 2, 4).flatten(3) for x in kept], -1).flatten(0, 2)
    assert_up_to_sign(components(maps, features), naive(tokens))


def test_a_place_that_attends_alike_at_all_times_keeps_its_colour():
    """One fit for all slices: equal rows have equal colours whatever the rest of the run does."""
    maps = recorded()
    layers = []
    for layer in maps.layers:
        own = layer.self_attention["positive"].clone()
        own[:, :, :, 5] = own[0, 0, 0, 5]
        layers.append(replace(layer, self_attention={"positive": own}))
    colours = components(replace(maps, layers=tuple(layers))).flatten(2, 3)[:, :, 5]
    assert (colours - colours[0, 0]).abs().max() < 1e-5
    assert components(maps).flatten(2, 3)[:, :, 5].std((0, 1)).min() > 1e-3


def test_colours_do_not_hang_on_how_a_solver_chose_its_signs():
    """Twice the same, and the same for the images in another order."""
    maps = recorded()
    turned = replace(
        maps,
        layers=tuple(
            replace(x, self_attention={"positive": x.self_attention["positive"].flip(1)}) for x in maps.layers
        ),
    )
    colours = components(maps)
    assert torch.equal(colours, components(maps))
    assert (colours - components(turned).flip(1)).abs().max() < 1e-4


def test_the_largest_weight_of_each_component_is_positive():
    """The rule that fixes the sign; a component's weights are how the features go with its colour."""
    maps = recorded()
    colours, features = components(maps).flatten(0, 3), rows(maps, {1, 3})
    weights = (features - features.mean(0)).T @ (colours - colours.mean(0))  # (features, 3), up to a factor
    assert (weights.gather(0, weights.abs().argmax(0, keepdim=True)) > 0).all()


def test_chosen_layers_and_slices():
    """Only these are fitted and returned."""
    maps = recorded()
    colours = components(maps, layers={2}, slices=[2])
    kept = maps.layers[1].self_attention["positive"][2].float().mean(1).flatten(0, 1)
    assert colours.shape == (1, 2, 2, 3, 3)
    assert_up_to_sign(colours, naive(kept))


def test_colours_fill_the_range():
    """From 0 to 1 over all images and slices; a map without differences is flat, not undefined."""
    colours = components(recorded())
    assert colours.amin((0, 1, 2, 3)).tolist() == [0, 0, 0]
    assert colours.amax((0, 1, 2, 3)).tolist() == pytest.approx([1, 1, 1])
    maps = recorded(grids=((2, 2),))
    flat = replace(maps.layers[0], self_attention={"positive": torch.full((3, 2, 1, 4, 4), 0.25).half()})
    assert torch.isfinite(components(replace(maps, layers=(flat,)))).all()


def test_missing_features_are_named():
    """The user learns which switch to turn."""
    with pytest.raises(ValueError, match="queries_and_keys"):
        components(without(recorded(), "queries"), "queries")
    with pytest.raises(ValueError, match="self-attention"):
        components(without(recorded(), "self_attention"))
