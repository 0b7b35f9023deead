"""MultiDiffusion on transformers: each window is a picture of its own to the model, which counts its places
anew."""

import comfy.sample
import pytest
import torch
from attention_control.attention_patches.contract.views import RegionPrompts
from attention_control.attention_patches.methods.multidiffusion.method import MultiDiffusion
from attention_control.attention_patches.methods.multidiffusion.regions import Region, constants
from attention_control.nodes.host.run.install import install, installed
from attention_control.nodes.wide.multidiffusion_node import MultiDiffusion as Node
from comfy_extras.nodes_model_patch import ZImageControlPatch
from nodes import ConditioningSetArea, ConditioningSetMask

from .layout_runs import run
from .naive_windows import panorama, regional
from .node_calls import call_node
from .tiny import assert_same_image, spy_calls
from .tiny.transformer_shapes import FURTHER, SIX, TRANSFORMERS
from .tiny.transformers import frames, painted, spoken, transformer

WINDOWS = {"window": (4, 6), "stride": 4}
ONE_STEP = {"steps": 1, "batch": 2}


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


def windows(kind, **settings):
    return install(transformer(kind), MultiDiffusion(**{**WINDOWS, **settings}))


@pytest.mark.parametrize("kind", (*SIX, *FURTHER))
def test_windows_are_averaged_in_each_call(kind):
    """As a loop over windows, cell by cell, that calls the host on each. They go round, and some begin
    within a token. One that holds all is the picture without windows, to the bit."""
    with spy_calls(transformer(kind)) as calls:
        out = painted(windows(kind, wrap=True), kind, **ONE_STEP)
    assert {call.shape[-2:] for call in calls} == {(4, 6)}
    assert_same_image(out, painted(panorama(transformer(kind), wrap=True, **WINDOWS), kind, **ONE_STEP))
    plain = painted(transformer(kind), kind, **ONE_STEP)
    assert not torch.allclose(out, plain, rtol=0.01)
    assert torch.equal(painted(windows(kind, window=(8, 12)), kind, **ONE_STEP), plain)


def latent(kind, images=1, height=7, width=12):
    return torch.zeros(images, TRANSFORMERS[kind].channels, *frames(kind), height, width)


@pytest.mark.parametrize("kind", ["flux", "cosmos", "wan", "hidream"])
def test_regions_and_what_they_see_early(kind):
    """A region has its own prompts, and sees one colour outside its mask: in a flow this fades where noise
    comes in, under Cosmos' noise it does not."""
    mask = torch.zeros(7, 12)
    mask[2:, 5:] = 1
    colour = constants(16, 3)[:1]
    prompts = spoken(kind, seed=3), spoken(kind, seed=4)
    region = Region(RegionPrompts(positive=prompts[0], negative=prompts[1]), mask)
    ours = windows(kind, regions=(region,), bootstrap=0.6, backgrounds=colour)
    naive = regional(
        transformer(kind),
        [(*prompts, mask)],
        lambda sigma: sigma > transformer(kind).get_model_object("model_sampling").percent_to_sigma(0.6),
        colour[0].unflatten(1, (*frames(kind), 1)),
        comfy.sample.prepare_noise(latent(kind), 0, [0]),
        flow=kind != "cosmos",
        **WINDOWS,
    )
    out = painted(ours, kind, batch=1)
    assert_same_image(out, painted(naive, kind, batch=1))
    without = painted(windows(kind, regions=(region,), bootstrap=0.0), kind, batch=1)
    assert not torch.allclose(out, without, rtol=0.01)


@pytest.mark.parametrize("kind", ["flux", "krea2"])
def test_areas_and_masks_are_cut_to_windows(kind):
    """Two windows side by side are the pictures that each half makes alone, under its part of the prompts."""
    first, negative, second = (spoken(kind, seed=seed) for seed in (1, 2, 3))
    mask = torch.rand(1, 4, 12, generator=torch.Generator().manual_seed(2)) * 0.8 + 0.2

    def under(columns, second):
        (one,) = ConditioningSetMask().append(first, mask[..., columns], "default", 0.6)
        return one + second, negative

    (right,) = ConditioningSetArea().append(second, 48, 32, 48, 0, 1.0)
    start = torch.randn(latent(kind, height=4).shape, generator=torch.Generator().manual_seed(7))
    whole = run(windows(kind, stride=6), *under(slice(0, 12), right), start)
    for columns, own in ((slice(0, 6), []), (slice(6, 12), second)):
        alone = run(transformer(kind), *under(columns, own), start[..., columns].contiguous())
        assert_same_image(whole[..., columns], alone)


@pytest.mark.parametrize(
    ("kind", "settings", "complaint"),
    [
        (
            "flux",
            {"window_width": 520},
            r"window_width is 520, and windows go by tokens of this model of 16 pixels",
        ),
        ("flux", {"stride": 12}, "stride is 12, and windows go by cells of 8 pixels. Take 8 or 16"),
        ("hunyuan-image", {"stride": 48}, "48, and windows go by cells of 32 pixels. Take 32 or 64"),
    ],
    ids=str,
)
def test_windows_are_of_whole_tokens(kind, settings, complaint):
    """The host would fill up half a token with what is not there; a stride may be half a one."""
    with pytest.raises(ValueError, match=complaint):
        call_node(Node, transformer(kind), **settings)


@pytest.mark.parametrize(
    ("kind", "cells"),
    [("flux", (8, 16, 4)), ("flux2", (4, 8, 2)), ("wan", (8, 16, 4)), ("hunyuan-image", (2, 4, 1))],
)
def test_pixels_are_the_models_cells(kind, cells):
    """8 pixels a side, 16 in Flux.2, 32 in HunyuanImage."""
    (patched,) = call_node(Node, transformer(kind), window_width=128, window_height=64, stride=32)
    ((only,),) = (installed(patched),)
    assert (*only.method.window, only.method.stride) == cells


def test_what_cannot_be_cut_is_refused():
    """A style that attention weighs, whose mask is as large as the picture's tokens; frames beside Wan's,
    which are; a ControlNet on the model, whose hint is."""
    weighed = [[text, {**more, "attention_mask_img_shape": (1, 1)}] for text, more in spoken("flux")]
    with pytest.raises(ValueError, match="positive has a style picture that is weighed by attention"):
        painted(windows("flux"), "flux", prompts=(weighed, spoken("flux")), **ONE_STEP)
    beside = [[text, {**more, "time_dim_concat": latent("wan")}] for text, more in spoken("wan")]
    with pytest.raises(ValueError, match=r"positive has pictures beside its frame \(Phantom\)"):
        painted(windows("wan"), "wan", prompts=(beside, spoken("wan")), **ONE_STEP)
    hinted = windows("z-image")
    patch = ZImageControlPatch.__new__(ZImageControlPatch)  # without a VAE to encode its hint
    patch.encoded_image = None
    hinted.set_model_double_block_patch(patch)
    with pytest.raises(ValueError, match=r"a ControlNet stands on it \(ZImageControlPatch\)"):
        painted(hinted, "z-image", **ONE_STEP)
