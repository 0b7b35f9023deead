"""The noise of PromptToPrompt's runs: one for all images, also between the steps and behind a mask."""

import inspect

import comfy.sample
import comfy.samplers
import pytest
import torch
from attention_control.nodes.host.facts.samplers import NOISE_SAMPLER
from attention_control.nodes.host.facts.samplers import UNTOLD as UNTOLD_BY_HOST
from comfy.extra_samplers import uni_pc
from comfy.k_diffusion import sampling
from comfy_extras import nodes_advanced_samplers
from comfy_extras.nodes_advanced_samplers import SamplerLCMUpscale

from .editing import change, run
from .specimen import SHALLOW, model
from .tiny import conditioning


@pytest.mark.parametrize("sampler", ["euler_ancestral", "dpmpp_2m_sde", "dpmpp_sde_gpu", "lcm", "er_sde"])
def test_samplers_that_draw_noise_draw_it_for_all(clip, sampler):
    """The same prompt gives the source, and the source what it gives alone under that seed."""
    outputs = change(clip, edits="a red cat, on the stairs\na red dog, on the stairs")
    out = run(outputs, sampler=sampler)
    assert torch.equal(out[1], out[0])
    [[text, more]] = outputs[1]
    alone = [[text[:1], {**more, "pooled_output": more["pooled_output"][:1]}]]
    start = {"samples": torch.zeros(1, 4, 6, 10), "batch_index": [0]}
    source = run((model(SHALLOW), alone, start, ""), sampler=sampler)
    assert torch.allclose(source[0], out[0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("sampler", ["ddim", "euler_ancestral", "uni_pc"])
def test_what_a_noise_mask_leaves_out_has_one_noise(clip, sampler):
    """The same prompt gives the source, and the source what the plain model makes of it; `ddim` draws noise
    of its own there, another for each image."""
    outputs = change(clip, edits="a red cat, on the stairs\na red dog, on the stairs")
    mask = torch.zeros(1, 1, 6, 10)
    mask[..., :5] = 1
    picture = torch.randn(1, 4, 6, 10, generator=torch.Generator().manual_seed(3)).repeat(3, 1, 1, 1)
    how = {"sampler": sampler, "latent": picture, "noise_mask": mask}
    out = run(outputs, **how)
    assert torch.equal(out[1], out[0])
    assert not torch.allclose(out[2], out[0], rtol=0.01)
    if sampler != "euler_ancestral":  # the plain model has other noise in each image between the steps
        assert torch.equal(out[0], run((model(SHALLOW), *outputs[1:]), **how)[0])


def foreign(model, x, sigmas, extra_args=None, callback=None, disable=None):
    """A sampler of another pack."""
    return sampling.sample_euler(model, x, sigmas, extra_args, callback, disable)


UNTOLD = {
    "churn": (
        comfy.samplers.ksampler("euler", {"s_churn": 5.0}),
        "The edits drift from the source: with s_churn the sampler adds noise of its own",
    ),
    "untold": (
        SamplerLCMUpscale.execute(1.0, 1, "bislerp").args[0],
        "The edits drift from the source: the sampler (sample_lcm_upscale) adds noise of its own",
    ),
    "foreign": (
        comfy.samplers.KSAMPLER(foreign),
        "The edits may drift from the source: it is not known whether the sampler (foreign) adds noise",
    ),
    "silent": (comfy.samplers.sampler_object("dpm_fast"), None),
}


@pytest.mark.parametrize(("sampler", "told"), UNTOLD.values(), ids=UNTOLD)
def test_noise_that_cannot_be_one_is_told(clip, caplog, sampler, told):
    """A sampler that adds noise of its own to each image lets the edits drift, and the report says why; of
    other packs' samplers it says that it is not known."""
    patched, positive, latent, *_ = change(clip)
    with torch.inference_mode(), caplog.at_level("INFO"):
        comfy.sample.sample_custom(
            patched,
            comfy.sample.prepare_noise(latent["samples"], 1, latent["batch_index"]),
            5.0,
            sampler,
            torch.tensor([10.0, 3.0, 0.0]),
            positive,
            conditioning(patched, seed=2),
            latent["samples"],
        )
    assert told in caplog.text if told else "drift from" not in caplog.text


def test_host_samplers_that_draw_and_cannot_be_told_are_named():
    """By their source: who draws noise without a `noise_sampler`, and without being asked to by s_churn."""
    named = set()
    for module in (sampling, uni_pc, nodes_advanced_samplers):
        for name, function in vars(module).items():
            if not name.startswith("sample_") or function.__module__ != module.__name__:
                continue
            parameters = inspect.signature(function).parameters
            drawing = "rand" in inspect.getsource(function)
            if drawing and not {NOISE_SAMPLER, "s_churn"} & set(parameters):
                named.add(name)
    assert named == set(UNTOLD_BY_HOST)
