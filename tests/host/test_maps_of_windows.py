"""Maps of words of a picture that the model saw in windows: laid together cell by cell."""

import re

import pytest
import torch
from attention_control.attention_patches.contract.views import RegionPrompts
from attention_control.attention_patches.maps.recorders.recorder import MEGABYTE
from attention_control.attention_patches.maps.recorders.windows import Laying
from attention_control.attention_patches.methods.multidiffusion.method import MultiDiffusion
from attention_control.attention_patches.methods.multidiffusion.regions import Region
from attention_control.nodes.host.run.install import install
from attention_control.nodes.inspect.attention_recorder_node import AttentionRecorder
from attention_control.nodes.inspect.self_segment_node import SelfSegment

from .naive_windows import begins, weight
from .node_calls import call_node
from .recorded import recorder, spied
from .tiny import conditioning, sample, tiny_model
from .tiny.precision import nearly

WIDE = {"height": 8, "width": 16, "batch": 2}
WINDOW = (8, 8)  # whole tokens of the coarsest layers, as strides of 4 are
BOX = torch.zeros(8, 16)
BOX[2:7, 3:9] = 1.0


def prompts(model):
    return conditioning(model, seed=1), conditioning(model, seed=2)


def laid(calls, grid, stride, wrap, weighting, own):
    """(images, N, tokens) in float64, of the calls of one layer, one for each window: each token of the
    picture is the mean over its cells of what the windows say there, by the weights of the picture. `own`
    (H, W) is 1 in cells that are of the prompt at all."""
    height, width, side = WIDE["height"], WIDE["width"], WIDE["height"] // grid[0]
    lefts = begins(width, WINDOW[1], stride, wrap)
    weights = torch.zeros(len(lefts), height, width, dtype=torch.float64)
    for number, left in enumerate(lefts):
        for y in range(WINDOW[0]):
            for x in range(WINDOW[1]):
                share = weight(y, WINDOW[0], weighting) * weight(x, WINDOW[1], weighting)
                weights[number, y, (left + x) % width] = share
    weights /= weights.sum(0)
    maps = [call.softmax(0) for call in calls]
    found = torch.zeros(WIDE["batch"], *grid, 77, dtype=torch.float64)
    for y in range(height):
        for x in range(width):
            if own[y, x] == 0:
                continue
            for number, left in enumerate(lefts):
                if (share := weights[number, y, x]) > 0:
                    at = (y // side) * (WINDOW[1] // side) + ((x - left) % width) // side
                    found[:, y // side, x // side] += share * maps[number][:, at]
    cells = own.unflatten(1, (grid[1], side)).unflatten(0, (grid[0], side)).sum((1, 3))
    return (found / cells.clamp(min=1)[..., None]).flatten(1, 2)


def test_maps_of_images_with_masks_of_their_own():
    """Each has the maps that it has where its mask holds for all."""
    model = tiny_model("sd15")
    found = []
    for mask in (torch.stack([BOX, BOX.flip(1)]), BOX, BOX.flip(1)):
        patch, store = recorder(model, time_bins=1)
        region = Region(RegionPrompts(positive=conditioning(model, seed=3)), mask)
        windows = MultiDiffusion(window=WINDOW, stride=4, regions=(region,), bootstrap=0)
        sample(install(install(model, patch), windows), *prompts(model), **WIDE, steps=1)
        found.append([layer.cross_attention["positive"] for layer in store.read().layers])
    for both, *each in zip(*found, strict=True):
        for image, alone in enumerate(each):
            assert nearly(both[:, image], alone[:, image])


@pytest.mark.parametrize(
    ("stride", "wrap", "weighting", "region"),
    [(4, False, "uniform", False), (8, True, "gaussian", False), (4, True, "gaussian", True)],
)
def test_maps_are_laid_together_as_the_picture_is(stride, wrap, weighting, region):
    """Of the sampler's own prompt, which says nothing where a region has another one."""
    model, calls = spied(tiny_model("sd15"))
    patch, store = recorder(model, time_bins=1)
    regions = (Region(RegionPrompts(positive=conditioning(model, seed=3)), BOX),) if region else ()
    windows = MultiDiffusion(
        window=WINDOW, stride=stride, wrap=wrap, weighting=weighting, regions=regions, per_call=1, bootstrap=0
    )
    sample(install(install(model, patch), windows), *prompts(model), **WIDE, steps=1)
    maps, own = store.read(), 1 - BOX if region else torch.ones_like(BOX)
    assert [layer.layer for layer in maps.layers] == list(maps.model.layers)
    for layer in maps.layers:
        place = (layer.layer.block, layer.layer.number, layer.layer.index)
        seen = [call for call in calls if call.place == place and call.k.shape[1] == 77]
        if region:  # the text of the region goes through in windows of its own, behind the picture's
            views = []
            for left in begins(16, 8, stride, wrap):
                reached = any(BOX[2, (left + x) % 16] for x in range(8))
                views += [False, True] if reached else [False]
            seen = [call for call, of_region in zip(seen, views, strict=True) if not of_region]
        wanted = laid(seen, layer.grid, stride, wrap, weighting, own)
        got = layer.cross_attention["positive"][0, :, 0].double()
        assert nearly(got, wanted, rtol=2e-3, atol=1e-5)
        assert not layer.self_attention


def test_cells_that_are_no_whole_tokens():
    """Are shared out: each row is a mean of rows, with any sampler and over all times."""
    model = tiny_model("sd15")
    patch, store = recorder(model, time_bins=1, each_head=True)
    windows = MultiDiffusion(window=(4, 6), stride=3, weighting="gaussian")
    sizes = {"height": 7, "width": 11, "batch": 1}
    sample(install(install(model, patch), windows), *prompts(model), **sizes, steps=2, sampler="heun")
    for layer in store.read().layers:
        got = layer.cross_attention["positive"].float().sum(-1)
        assert got.shape[-1] == layer.grid[0] * layer.grid[1]
        assert torch.allclose(got, torch.ones(()), atol=5e-3)


def test_windows_are_measured_once_in_a_run(monkeypatch):
    """Not for each layer and step: each window on each of the grids."""
    model, made, making = tiny_model("sd15"), [], Laying.made

    def counted(share, window, own, whole, like):
        made.append((window, own))
        return making(share, window, own, whole, like)

    monkeypatch.setattr(Laying, "made", counted)
    patch, store = recorder(model, time_bins=1)
    windows = MultiDiffusion(window=WINDOW, stride=4)
    sample(install(install(model, patch), windows), *prompts(model), **WIDE, steps=3)
    grids = {layer.grid for layer in store.read().layers}
    assert len(made) == len(set(made)) == len(grids) * len(begins(16, 8, 4, False))


def test_self_attention_of_windows_is_left_out(clip, report):
    """The report says why, it takes no memory, and a node that needs it says the same."""
    model = tiny_model("sd15")
    patch, store = recorder(model, self_max_tokens=None, memory_limit=5 * MEGABYTE)
    windows = MultiDiffusion(window=(4, 6), stride=4)
    wide = {"height": 6, "width": 40, "batch": 1}
    sample(install(install(model, patch), windows), *prompts(model), **wide, steps=1)
    assert any(
        "Left out self-attention: the model saw the picture in windows" in line for _, line in report()
    )
    settings = {"subjects": "cat", "segments": 2, "label_threshold": 0.3, "layers": "all", "sharpen": False}
    with pytest.raises(ValueError, match=r"self-attention .*MultiDiffusion"):
        call_node(SelfSegment, store, torch.rand(1, 48, 320, 3), clip, "a red cat", **settings)
    patched, store = call_node(AttentionRecorder, install(model, windows), record="self")
    sample(patched, *prompts(model), **wide, steps=1)
    assert store.maps is None
    assert any(re.search("in windows, and of these only maps of words", line) for _, line in report())
