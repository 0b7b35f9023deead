"""What the host makes of prompts before a run, in windows and in regions; and a VAE for backgrounds."""

from types import SimpleNamespace

import comfy.ldm.modules.encoders.noise_aug_modules as noise_aug
import comfy.model_base
import pytest
import torch
from attention_control.attention_patches.contract.views import RegionPrompts
from attention_control.attention_patches.methods.multidiffusion.method import MultiDiffusion
from attention_control.attention_patches.methods.multidiffusion.regions import Region
from attention_control.nodes.host.run.install import install
from attention_control.nodes.wide.multidiffusion_node import MultiDiffusion as Node
from attention_control.nodes.wide.prompt_region_node import PromptRegion
from comfy_extras.nodes_video_model import ConditioningSetAreaPercentageVideo
from nodes import ConditioningSetArea, ControlNetApplyAdvanced, unCLIPConditioning

from .layout_runs import noise, run
from .node_calls import call_node
from .specimen import model
from .tiny import assert_same_image, conditioning, sample, tiny_model
from .tiny.extras import tiny_controlnet
from .tiny.models import POOLED
from .tiny.transformers import painted, spoken, transformer


def test_a_picture_that_unclip_shows_sdxl():
    """Each window is told of it what the whole picture is: a window of the whole is the plain run."""
    plain = tiny_model("sdxl")
    schedule = {"timesteps": 1000, "beta_schedule": "squaredcos_cap_v2"}
    plain.model.noise_augmentor = noise_aug.CLIPEmbeddingNoiseAugmentation(
        noise_schedule_config=schedule, timestep_dim=16
    )
    seen = SimpleNamespace(image_embeds=torch.randn(1, 16, generator=torch.Generator().manual_seed(1)))
    prompts = [
        unCLIPConditioning().apply_adm(conditioning(plain, seed=seed), seen, 1.0, 0.3)[0] for seed in (1, 2)
    ]
    start = noise(1, (6, 8))
    region = Region(RegionPrompts(positive=prompts[0]), torch.ones(1, 1))
    patched = install(plain, MultiDiffusion(window=(6, 8), stride=4, regions=(region,), bootstrap=0.0))
    assert_same_image(run(patched, *prompts, start, steps=2), run(plain, *prompts, start, steps=2))
    wide = noise(1, (6, 16))
    halves = run(install(plain, MultiDiffusion(window=(6, 8), stride=8)), *prompts, wide, steps=2)
    for left in (0, 8):
        sizes = {"width": 128, "height": 48, "crop_w": 8 * left, "target_width": 64, "target_height": 48}
        told = [[[text, {**more, **sizes}] for text, more in prompt] for prompt in prompts]
        alone = run(plain, *told, wide[..., left : left + 8].contiguous(), steps=2)
        assert_same_image(halves[..., left : left + 8], alone)


def refiner():
    """A tiny SDXL that is told what the refiner is: five numbers, one of them a score."""
    patcher = tiny_model("sdxl", layout="shallow")
    patcher.model.__class__ = comfy.model_base.SDXLRefiner
    first = patcher.model.diffusion_model.label_emb[0][0]
    first.weight = torch.nn.Parameter(first.weight[:, : 5 * 256 + POOLED].clone())
    return patcher


def test_sizes_that_the_refiner_is_told():
    """The whole picture's and the window's corner, and of positive and negative the score of each."""
    plain, wide = refiner(), noise(1, (6, 16))
    prompts = [conditioning(plain, seed=seed) for seed in (1, 2)]
    halves = run(install(plain, MultiDiffusion(window=(6, 8), stride=8)), *prompts, wide, steps=2)
    for left in (0, 8):
        sizes = {"width": 128, "height": 48, "crop_w": 8 * left}
        told = [[[text, {**more, **sizes}] for text, more in prompt] for prompt in prompts]
        alone = run(plain, *told, wide[..., left : left + 8].contiguous(), steps=2)
        assert_same_image(halves[..., left : left + 8], alone)


@pytest.mark.parametrize("key", ["attention_mask_img_shape", "time_dim_concat"])
def test_what_cannot_be_cut_is_refused_in_regions_too(key):
    """A style picture that is weighed by attention, pictures beside a frame."""
    beside = [[text, {**more, key: (4, 6)}] for text, more in spoken("flux")]
    with pytest.raises(ValueError, match="the positive of region 1 has"):
        call_node(PromptRegion, beside, mask=torch.ones(1, 8, 8))


@pytest.mark.parametrize("on", ["plain", "windows"])
def test_areas_for_videos(on):
    """Are the same place as one for pictures, on models whose pictures are videos of one frame."""
    plain = transformer("wan")
    patched = install(plain, MultiDiffusion(window=(8, 8), stride=4)) if on == "windows" else plain
    how = {"height": 8, "width": 12, "batch": 1}
    of_all, negative = spoken("wan", seed=3), spoken("wan", seed=2)
    (video,) = ConditioningSetAreaPercentageVideo().append(
        spoken("wan", seed=1), 0.5, 1.0, 1.0, 0.25, 0, 0, 1.0
    )
    (picture,) = ConditioningSetArea().append(spoken("wan", seed=1), 6 * 8, 8 * 8, 3 * 8, 0, 1.0)
    both = [painted(patched, "wan", prompts=(part + of_all, negative), **how) for part in (video, picture)]
    assert_same_image(*both)


@pytest.mark.parametrize(
    ("made", "complaint"),
    [
        (torch.ones(1, 16, 4, 8), r"vae: .* latent has the shape \(20, 16, 4, 8\), and this model takes"),
        (torch.full((1, 4, 4, 8), float("nan")), "vae: .* latent: image 0 holds values that are no numbers"),
    ],
    ids=["another model's", "no numbers"],
)
def test_a_vae_that_does_not_go(made, complaint):
    """Is refused at the node."""
    plain, vae = model("sd15"), SimpleNamespace(encode=lambda pixels: made)
    (region,) = call_node(PromptRegion, conditioning(plain, seed=3), mask=torch.ones(1, 8, 8).tril())
    with pytest.raises(ValueError, match=complaint):
        call_node(Node, plain, window_width=64, window_height=32, stride=32, vae=vae, regions=region)


@pytest.mark.parametrize("width", [8, 10])
def test_a_picture_no_wider_than_a_window_closes(width):
    """What is turned round by a stride is the same picture, turned round."""
    patched = install(model("sd15"), MultiDiffusion(window=(4, width), stride=2, wrap=True))
    own = conditioning(model("sd15"), seed=1), conditioning(model("sd15"), seed=2)
    start = noise(1, (6, 8))
    out = run(patched, *own, start, steps=2)
    turned = run(patched, *own, start.roll(2, -1), steps=2)
    assert_same_image(turned, out.roll(2, -1))


def test_a_region_without_a_negative_beside_a_controlnet():
    """The sampler's negative stands against the region's prompt under that one's ControlNet, or none: with
    another, guidance would lead away from its hint."""

    def text(seed):
        return conditioning(model("sd15"), seed=seed)

    wide = {"height": 6, "width": 14, "batch": 2}
    hint = torch.rand(1, 48, 112, 3, generator=torch.Generator().manual_seed(1))
    apply, control = ControlNetApplyAdvanced().apply_controlnet, tiny_controlnet(model("sd15"))
    controlled = apply(text(1), text(2), control, hint, 0.5, 0.0, 1.0)
    for other in (None, hint.flip(2)):
        bare = text(3), text(2)
        own = bare if other is None else apply(*bare, tiny_controlnet(model("sd15"), 1), other, 0.5, 0.0, 1.0)
        region = Region(RegionPrompts(positive=own[0]), torch.ones(1, 1))
        patched = install(
            model("sd15"), MultiDiffusion(window=(6, 14), stride=1, regions=(region,), bootstrap=0.0)
        )
        ours = sample(patched, *controlled, **wide)
        assert_same_image(ours, sample(model("sd15"), *own, **wide))
