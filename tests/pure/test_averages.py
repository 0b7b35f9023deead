"""Averages of recorded attention against heat maps as DAAM's code takes them, map by map in float64."""

from dataclasses import replace

import pytest
import torch
from attention_control.attention_patches.contract.layers.layer import Layer
from attention_control.attention_patches.contract.layers.layer_map import LayerMap
from attention_control.attention_patches.maps.averages import cross_map, self_map
from attention_control.attention_patches.maps.recorded import AttentionMaps, RecordedLayer, TimeSlice
from attention_control.attention_patches.maps.word_maps import word_maps
from attention_control.attention_patches.text.words import Word
from torch.nn import functional as F

from .recorded import recorded

SIZE, TOKENS = (8, 12), 9
LAYERS = (((4, 6), 2), ((2, 3), 5), ((4, 6), 2), ((8, 12), 1))  # (grid, heads)
WORDS = (Word("sunglasses", (3, 4, 7)), Word("cat", (2,)))


def of_each_head():
    """Two images, three time slices, each head by itself; every head looks sharply at a place of its own, so
    that what is enlarged falls below 0 beside it."""
    generator = torch.Generator().manual_seed(3)
    places = [Layer(n, len(LAYERS), "output", n, 0) for n in range(1, len(LAYERS) + 1)]
    layers = []
    for place, (grid, heads) in zip(places, LAYERS, strict=True):
        shape = (3, 2, heads, grid[0] * grid[1])
        cross = (4 * torch.randn(*shape, TOKENS, generator=generator)).softmax(-1).half()
        own = (4 * torch.randn(*shape, shape[-1], generator=generator)).softmax(-1).half()
        layers.append(RecordedLayer(place, grid, heads, {"positive": cross}, {"positive": own}))
    times = tuple(TimeSlice(s / 3, (s + 1) / 3, 1 - s / 3) for s in range(3))
    return AttentionMaps(LayerMap("U-Net", tuple(places)), 2, SIZE, times, tuple(layers))


def of_head_means(maps):
    """The same run, had only the means over the heads been kept."""

    def mean(kept):
        return {role: tensor.float().mean(2, keepdim=True) for role, tensor in kept.items()}

    layers = [
        replace(x, cross_attention=mean(x.cross_attention), self_attention=mean(x.self_attention))
        for x in maps.layers
    ]
    return replace(maps, layers=tuple(layers))


def daam(maps, positions, image, times=(0, 1, 2)):
    """Sums over the steps for each head of each layer, each enlarged and cut off at 0, then their mean, then
    the mean over the tokens of the word; divided by the number of steps, as theirs is a sum over them."""
    tokens = []
    for position in positions:
        merged = []
        for layer in maps.layers:
            for head in range(layer.cross_attention["positive"].shape[2]):
                total = torch.zeros(layer.grid, dtype=torch.float64)
                for time in times:
                    column = layer.cross_attention["positive"][time, image, head, :, position]
                    total += column.double().unflatten(0, layer.grid)
                large = F.interpolate(total[None, None], SIZE, mode="bicubic")
                merged.append(large.clamp(min=0)[0, 0])
        tokens.append(torch.stack(merged).mean(0))
    return torch.stack(tokens).mean(0) / len(times)


@pytest.mark.parametrize("image", [0, 1])
def test_words_are_daams(image):
    """A word's pieces are cut off at 0 one by one, as are the heads, and a head counts as much as any other,
    however many its layer has."""
    maps = of_each_head()
    found = word_maps(maps, WORDS, SIZE, image=image)
    for word, map_ in zip(WORDS, found, strict=True):
        assert torch.allclose(map_.double(), daam(maps, word.positions, image), atol=1e-7)
    some = word_maps(maps, WORDS, SIZE, image=image, slices=[0, 2])
    assert torch.allclose(some[0].double(), daam(maps, WORDS[0].positions, image, (0, 2)), atol=1e-7)


def test_layers_count_by_their_heads_where_only_means_are_kept():
    """Then nothing but the cut of single heads is missing: each layer is there once for each of its heads."""
    maps = of_each_head()
    means = of_head_means(maps)
    repeated = [
        replace(x, cross_attention={r: t.expand(-1, -1, heads, -1, -1) for r, t in x.cross_attention.items()})
        for x, (_, heads) in zip(means.layers, LAYERS, strict=True)
    ]
    expected = daam(replace(maps, layers=tuple(repeated)), WORDS[0].positions, 1)
    assert torch.allclose(word_maps(means, WORDS, SIZE, image=1)[0].double(), expected, atol=1e-7)
    uncut = [replace(x, layers=x.layers[-1:]) for x in (means, maps)]  # of the very size: nothing to cut
    of_means, of_heads = (cross_map(x, SIZE, image=1) for x in uncut)
    assert torch.allclose(of_means, of_heads, atol=1e-6)


def test_tokens_are_chosen_from_all():
    """Some columns of the map of all tokens, in the order asked for."""
    maps = of_each_head()
    every = cross_map(maps, SIZE)
    assert every.shape == (TOKENS, *SIZE)
    assert torch.equal(cross_map(maps, SIZE, tokens=[7, 2]), every[[7, 2]])


def test_self_attention_is_the_mean_over_heads():
    """Of all layers of the grid."""
    maps = of_each_head()
    heads = [
        head.double()
        for layer in maps.layers
        if layer.grid == (4, 6)
        for head in layer.self_attention["positive"][:, 1].mean(0, dtype=torch.float32)
    ]
    assert torch.allclose(self_map(maps, (4, 6), image=1).double(), sum(heads) / len(heads), atol=1e-6)


def test_another_prompt_than_the_recorded_one_is_refused():
    """Its words lie behind the recorded tokens."""
    with pytest.raises(ValueError, match=r"'dog' is token 9, .* only 9 tokens"):
        word_maps(recorded(), [Word("dog", (8, 9))], SIZE)
