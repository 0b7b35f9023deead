"""InvertLatent and ReconstructLatent there and back: every state, on the host's own sampling."""

from functools import cache

import comfy.samplers
import comfy.sd
import comfy.utils
import numpy as np
import pytest
import torch
from attention_control.attention_patches.inversion.inversion import psnr
from attention_control.nodes.demo.load_demo_model_node import LoadDemoModel
from attention_control.nodes.host.walks.inversion_samplers import Replay
from comfy_extras.nodes_custom_sampler import SamplerCustom, SplitSigmas
from comfy_extras.nodes_model_advanced import ModelSamplingContinuousEDM
from nodes import ControlNetApplyAdvanced, KSamplerAdvanced
from PIL import Image

from pack import ROOT

from .inverting import METHODS, STEPS, invert, own_scale, picture, prompts, reconstruct, with_lora
from .tiny import assert_same_image, split_calls, spy_calls, tiny_model
from .tiny.extras import tiny_controlnet

DRAWING = ROOT / "example_workflows" / "inputs" / "example.png"
CAPTION = "a red cat and a blue dog on the beach, flat style"


@cache
def inverted():
    """The node's outputs for the usual picture and settings."""
    return invert(tiny_model("sd15"))


@pytest.mark.parametrize(("shape", "cfg"), [("sd2", 1.0), ("sdxl", 3.5)])
def test_edit_friendly_leads_through_every_state(shape, cfg):
    """At the same settings every state comes back, from the noisiest on and from the middle: >= 60 dB."""
    model = tiny_model(shape)
    inversion, _, sigmas = invert(model, cfg=cfg)
    assert torch.equal(inversion.picture, own_scale(model, picture()))
    for first in (0, STEPS // 2):
        passed = {}
        replay = Replay(inversion, lambda latents, done, seen=passed: seen.setdefault(done, latents))
        with torch.inference_mode():
            SamplerCustom.execute(model, False, 0, cfg, *prompts(model), replay, sigmas[first:], picture())
        assert list(passed) == list(range(first + 1, STEPS + 1))
        assert min(psnr(latents.cpu(), inversion.states[i]) for i, latents in passed.items()) >= 60
    assert "exactly" in reconstruct(model, inversion, cfg=cfg)[1]


def test_ddim_comes_nearer_with_more_steps():
    """On the demo model with cfg 1: 15 steps reach 35 dB, and fewer are worse."""
    drawing = np.asarray(Image.open(DRAWING).convert("RGB"), np.float32) / 255
    with torch.inference_mode():
        model, clip, vae = LoadDemoModel.execute().args
        texts = [clip.encode_from_tokens_scheduled(clip.tokenize(text)) for text in (CAPTION, "")]
        drawn = {"samples": vae.encode(torch.from_numpy(drawing)[None])}
    figures = []
    for steps in (3, 15):
        inversion = invert(model, "ddim", drawn, texts=texts, steps=steps)[0]
        figures.append(psnr(reconstruct(model, inversion, texts=texts)[0], inversion.picture))
    assert figures == sorted(figures)
    assert figures[-1] >= 35


@pytest.mark.parametrize(("shape", "edm"), [("sd15", False), ("sd2", False), ("sdxl", True)])
def test_ddim_looks_at_the_cleaner_state(shape, edm):
    """The network's input is that of the cleaner state, under the name of the noisier sigma."""
    model, calls = tiny_model(shape), []
    if edm:
        (model,) = ModelSamplingContinuousEDM().patch(model, "edm_playground_v2.5", 20.0, 0.01)
    sampling = model.get_model_object("model_sampling")

    def note(apply_model, args):
        calls.append((sampling.calculate_input(args["timestep"], args["input"]), float(args["timestep"][0])))
        return apply_model(args["input"], args["timestep"], **args["c"])

    model = model.clone()
    model.set_model_unet_function_wrapper(note)
    inversion = invert(model, "ddim", scheduler="karras")[0]
    levels = inversion.sigmas
    for done, (network_input, sigma) in enumerate(calls):
        cleaner = STEPS - done
        expected = sampling.calculate_input(levels[cleaner : cleaner + 1], inversion.states[cleaner])
        assert sigma == pytest.approx(float(levels[cleaner - 1]))
        assert_same_image(network_input, expected)
    assert len(calls) == STEPS


@pytest.mark.parametrize(
    ("shape", "scheduler"),
    [("sd15", "ddim_uniform"), ("sdxl", "karras"), ("sd2", "normal")],
)
def test_the_noisiest_state_can_be_sampled_on(shape, scheduler):
    """After DDIM, euler without noise on these sigmas gives the reconstruction, in either host node."""
    model, steps = tiny_model(shape), 3
    inversion, noisiest, sigmas = invert(model, "ddim", scheduler=scheduler, steps=steps)
    expected, _ = reconstruct(model, inversion)
    euler = comfy.samplers.sampler_object("euler")
    with torch.inference_mode():
        custom = SamplerCustom.execute(model, False, 7, 1.0, *prompts(model), euler, sigmas, noisiest)[0]
        (advanced,) = KSamplerAdvanced().sample(
            model,
            "disable",
            7,
            steps,
            1.0,
            "euler",
            scheduler,
            *prompts(model),
            noisiest,
            0,
            10000,
            "disable",
        )
    assert_same_image(own_scale(model, custom), expected, tolerance=1e-3)
    assert_same_image(own_scale(model, advanced), expected, tolerance=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_a_part_of_the_schedule(method):
    """Low sigmas only: an inversion up to that noise, which leads back just as well."""
    model = tiny_model("sd15")
    low = SplitSigmas.execute(inverted()[2], 3)[1]
    inversion, noisiest, sigmas = invert(model, method, sigmas=low)
    assert torch.equal(sigmas, low)
    assert torch.equal(inversion.sigmas, low)
    assert_same_image(own_scale(model, noisiest), inversion.states[0])
    error = 1e-3 if method != "ddim" else 2.0  # a random network is anything but smooth
    assert_same_image(reconstruct(model, inversion)[0], inversion.picture, tolerance=error)


def test_start_percent():
    """A later start makes fewer steps; one behind them all would make none, and is refused."""
    model, inversion = tiny_model("sd15"), inverted()[0]
    percents = {0.0: STEPS, 0.5: 3, 0.9: 1}
    for start, steps in percents.items():
        with spy_calls(model) as calls:
            out, report = reconstruct(model, inversion, start)
        assert len(calls) == steps
        assert_same_image(out, inversion.picture)
        assert "exactly" in report


@pytest.mark.parametrize("method", METHODS)
def test_a_picture_of_a_batch_is_as_alone(method):
    """States and noise of a picture depend on seed and number; other pictures change nothing."""
    model, both, how = tiny_model("sd15"), picture(), {"steps": 3}
    batch = invert(model, method, **how)[0]
    for image in (0, 1):
        alone = {"samples": both["samples"][image : image + 1], "batch_index": [image]}
        single, noisiest, _ = invert(model, method, alone, **how)
        assert_same_image(single.states[:, 0], batch.states[:, image])
        assert noisiest["batch_index"] == [image]
    other = invert(model, method, seed=1, **how)[0]
    assert torch.equal(other.states[0], batch.states[0]) == (method == "ddim")


@pytest.mark.parametrize(("shape", "method"), list(zip(("sd15", "sdxl"), METHODS, strict=True)))
def test_calls_do_not_matter(shape, method):
    """Positive and negative in one call of the model or in two: the same states."""
    model = tiny_model(shape)
    together = invert(model, method, cfg=3.0, steps=3)[0]
    with split_calls(model, rows=2), spy_calls(model) as calls:
        apart = invert(model, method, cfg=3.0, steps=3)[0]
    assert {len(call.cond_or_uncond) for call in calls} == {1}
    assert_same_image(apart.states, together.states, tolerance=5e-3)


def test_lora_and_controlnet_are_in_the_walk():
    """What is on model and prompt is followed, and must be there on the way back."""
    plain = tiny_model("sd15")
    hint = torch.rand(1, 40, 72, 3, generator=torch.Generator().manual_seed(1))
    control = ControlNetApplyAdvanced().apply_controlnet(
        *prompts(plain), tiny_controlnet(plain), hint, 0.3, 0.0, 1.0
    )
    expected = invert(plain, steps=2)[0]
    for model, texts in ((with_lora(plain), prompts(plain)), (plain, control)):
        inversion = invert(model, texts=texts, steps=2)[0]
        assert not torch.allclose(inversion.noise, expected.noise, rtol=0.01)
        assert "exactly" in reconstruct(model, inversion, texts=texts)[1]
        assert "changed" in reconstruct(plain, inversion)[1]
