"""Prompt-to-Prompt's blend: the authors', written out cell by cell, behind each step of Euler's method."""

from dataclasses import replace
from itertools import pairwise

import comfy.sample
import comfy.samplers
import pytest
import torch
from attention_control.attention_patches.attention.explicit_maps import probabilities
from attention_control.attention_patches.contract.layers.layer_size import LayerSize
from attention_control.attention_patches.methods.prompt_to_prompt.blend import Blend, blended_layers, where
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from comfy.k_diffusion.sampling import sample_euler

from . import naive_prompts
from .just import Just
from .methods import METHODS
from .specimen import SHALLOW, model
from .tiny import assert_same_image, conditioning, sample

SPECIMEN = next(specimen for specimen in METHODS if specimen.name == "prompt to prompt, blended")
HEIGHT, WIDTH = 6, 10
BLEND = Blend(((1, 2), (1,), (2,)), ((5,), (5,), (5,)), 0.4)
PERCENTS = (0.0, 0.25, 0.5, 0.75)


class Summing:
    """Sums what the images' words and those to keep look at, in the coarsest layers; beside the blend."""

    order = "observe"

    def __init__(self):
        self.sums = [torch.zeros(3, 2, 3), torch.zeros(3, 2, 3)]

    def wants(self, site):
        return site.kind == "cross" and site.grid == (2, 3)

    def __call__(self, site, qkv, attend):
        for text, rows in zip(site.rows.texts, site.rows.chunks, strict=True):
            if text.role != "positive":
                continue
            maps = torch.cat([map_ for _, map_ in probabilities(qkv, rows)], 2)
            for total, chosen in zip(self.sums, (BLEND.words, BLEND.kept), strict=True):
                for image, positions in enumerate(chosen):
                    for position in positions:
                        total[image] += maps[image, :, :, position].sum(0).view(2, 3).cpu()
        return attend(qkv)


def levels(patcher):
    """Noise levels at every quarter of the schedule."""
    sampling = patcher.get_model_object("model_sampling")
    return torch.tensor([*(float(sampling.percent_to_sigma(max(p, 1e-4))) for p in PERCENTS), 0.0])


def euler(patcher, function):
    """A run of three images with a sampler's function, from noise of each its own."""
    noise = torch.randn(3, 4, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(3))
    prompts = conditioning(patcher, 3, seed=1), conditioning(patcher, seed=2)
    sampler = comfy.samplers.KSAMPLER(function)
    with torch.inference_mode():
        return comfy.sample.sample_custom(
            patcher, noise, 3.0, sampler, levels(patcher), *prompts, torch.zeros_like(noise), seed=5
        )


@pytest.mark.parametrize("start", [0.0, 0.5])
def test_under_euler_it_is_a_blend_behind_each_step(start):
    """From where it starts on; maps are summed from the first step whatever the start is."""
    seen, percents = Summing(), iter(PERCENTS)

    def blending_euler(model, x, sigmas, extra_args=None, callback=None, disable=None):
        for sigma, after in pairwise(sigmas):
            expected = model(x, sigma * x.new_ones(3), **extra_args)
            x = x + (x - expected) / sigma * (after - sigma)
            if next(percents) >= start:
                x = naive_prompts.blended(x, *seen.sums, BLEND.threshold)
        return x

    control = SPECIMEN.on(model("sd15"), blend=None)
    expected = euler(install(control, Just(parts=[seen])), blending_euler)
    blended = SPECIMEN.on(model("sd15"), blend=replace(BLEND, start=start))
    out = euler(blended, sample_euler)
    assert_same_image(out, expected)
    same = (out[1:] == out[:1]).all(1).float().mean()
    assert 0.05 < same < 0.95, "the blend hides nothing, or all"
    assert not torch.allclose(out, euler(control, sample_euler), rtol=0.01)


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "heun", "uni_pc", "lms", "dpm_2", "deis"])
def test_outside_of_the_masks_other_samplers_give_the_source(sampler):
    """What the last mask leaves out is the source in the end, in samplers that go on from several steps."""
    blended = SPECIMEN.on(model(SHALLOW), blend=Blend(((), (), ()), threshold=0.4))
    out = sample(
        blended,
        conditioning(model(SHALLOW), 3, seed=1),
        conditioning(model(SHALLOW), seed=2),
        batch=3,
        images=[0, 0, 0],
        height=HEIGHT,
        width=WIDTH,
        steps=4,
        sampler=sampler,
    )
    assert_same_image(out[1:], out[:1].expand(2, -1, -1, -1), 1e-3)


def test_masks_by_cell():
    """Pooled or not, on grids that do not divide the latents; an image without words has the source's."""
    sums = torch.rand(3, 3, 4, generator=torch.Generator().manual_seed(1))
    sums[2] = 0
    keep = sums.flip(1)
    latents = torch.arange(3 * 7 * 9.0).view(3, 1, 7, 9)
    for threshold in (0.5, 0.9):
        mask = where(sums, threshold, (7, 9), pooled=True) & ~where(keep, threshold, (7, 9), pooled=False)
        out = torch.where(mask, latents, latents[:1])
        assert torch.equal(out, naive_prompts.blended(latents, sums, keep, threshold))
        assert torch.equal(
            where(sums, threshold, (7, 9), pooled=True)[2], where(sums, threshold, (7, 9), pooled=True)[0]
        )


def test_a_cell_at_the_threshold_is_left_out():
    """Strictly above."""
    assert where(torch.tensor([[[0.5, 1.0, 0.51]]]), 0.5, (1, 3), pooled=False).tolist() == [
        [[[False, True, True]]]
    ]


@pytest.mark.parametrize(
    ("shape", "latent", "grid", "layers"),
    [("sd15", (64, 96), (16, 24), 5), ("sdxl", (128, 128), (32, 32), 60)],
)
def test_layers_of_a_quarter_of_the_height(shape, latent, grid, layers):
    """In SD1.5 the authors' five, without the middle's; in SDXL all of 32 x 32."""
    family = family_of(model(f"{shape}, real"))
    sizes = family.layer_sizes(latent)
    chosen = blended_layers(sizes, latent[0])
    assert len(chosen) == layers
    assert {sizes[ordinal].grid for ordinal in chosen} == {grid}


def test_models_that_stay_fine_have_their_coarsest_layers_with_an_outline():
    """As the demo model, whose coarsest grid is half the height of its latents and holds no words; where none
    has so many rows, the finest."""
    sizes = {1: LayerSize((16, 16), 4, 16), 2: LayerSize((8, 8), 4, 32), 3: LayerSize((16, 16), 4, 16)}
    assert blended_layers(sizes, 16) == {1, 3}
    assert blended_layers({1: LayerSize((8, 8), 4, 16), 2: LayerSize((4, 4), 4, 16)}, 8) == {1}
