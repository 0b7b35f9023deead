"""StyleAligned from a picture: the reference stays the picture, whatever runs; the others follow it."""

from itertools import pairwise

import comfy.sample
import comfy.samplers
import pytest
import torch
from attention_control.attention_patches.contract.schedule import PercentRange
from attention_control.attention_patches.inversion.pinned import Pinned
from attention_control.attention_patches.methods.style_aligned.method import StyleAligned
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from comfy_extras.nodes_model_advanced import ModelSamplingDiscrete

from . import naive
from .inversions import tiny_inversion
from .specimen import FLAT, SHALLOW, blocks, model
from .tiny import assert_same_image, conditioning, sample
from .tiny.precision import nearly

IMAGES = 3
SIZE = {"height": 6, "width": 8}
PICTURE = tiny_inversion(**SIZE)
EDIT_FRIENDLY = tiny_inversion(**SIZE, method="edit friendly ddpm")
# Those that draw their noise on a GPU are the same loops.
LOOPS = [name for name in comfy.samplers.KSampler.SAMPLERS if not name.endswith("_gpu")]
# These stop at a sigma above 0 and leave its noise in all their images.
LEFT_OVER = {"dpm_fast": 0.5, "dpm_adaptive": 0.5, "uni_pc": 0.005, "uni_pc_bh2": 0.005}


def follow(patcher, picture=PICTURE, during=(0.0, 1.0), **settings):
    """The model with StyleAligned from the picture."""
    layers = family_of(patcher).layer_map().parse(settings.pop("layers", "all"))
    given = {"reference_picture": picture, "during": PercentRange(*during), **settings}
    return install(patcher, StyleAligned(layers=layers, **given))


def run(patcher, **how):
    """Latents of a batch in the model's own scale."""
    prompts = conditioning(patcher, IMAGES, seed=1), conditioning(patcher, seed=2)
    out = sample(patcher, *prompts, **{"batch": IMAGES, "steps": 3, **SIZE, **how})
    return patcher.model.process_latent_in(out)


def walk(patcher, sampler, sigmas, latent=None, noise_seed=1):
    """The same along given sigmas, from `latent` with fresh noise, or with none if the seed is None."""
    start = torch.zeros(IMAGES, 4, *SIZE.values())
    noise = torch.randn(start.shape, generator=torch.Generator().manual_seed(noise_seed or 0))
    with torch.inference_mode():
        out = comfy.sample.sample_custom(
            patcher,
            0 * noise if noise_seed is None else noise,
            4.0,
            sampler,
            torch.tensor(sigmas),
            conditioning(patcher, IMAGES, seed=1),
            conditioning(patcher, seed=2),
            start if latent is None else patcher.model.process_latent_out(latent),
        )
    return patcher.model.process_latent_in(out)


def off_the_picture(out, row=0, picture=PICTURE):
    """The largest difference between a row and the picture."""
    return float((out[row] - picture.picture[0]).abs().max())


def listen(patcher):
    """A clone, and a list that gets what the host's guidance is given in each call of the sampler."""
    calls, clone = [], patcher.clone()

    def note(args):
        calls.append({key: args[key].clone() for key in ("input", "cond_denoised", "uncond_denoised")})
        calls[-1]["sigma"] = float(args["sigma"][0])
        return args["denoised"]

    clone.set_model_sampler_post_cfg_function(note)
    return clone, calls


@pytest.mark.parametrize("sampler", LOOPS)
def test_every_sampler_ends_with_the_picture(sampler, report):
    """Row 0 ends as the picture up to rounding; the other rows are no copies of it. Where samplers call the
    model is their own business, and no skipped call."""
    out = run(follow(model(FLAT)), sampler=sampler)
    assert off_the_picture(out) <= LEFT_OVER.get(sampler, 1e-5)
    assert min(off_the_picture(out, row) for row in (1, 2)) > 1.0
    assert not any("skips" in line for _, line in report())


@pytest.mark.parametrize(
    ("shape", "how"),
    [
        ("sd15", {"denoise": 0.4, "latent": torch.ones(IMAGES, 4, 6, 8)}),
        ("sd2", {"scheduler": "karras", "sampler": "dpmpp_2m"}),
        ("sdxl", {"scheduler": "ddim_uniform"}),
        ("sd15", {"cfg": 1.0}),
        ("sd2", {"steps": 1}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else value,
)
def test_every_schedule_ends_with_the_picture(shape, how):
    """Also from the middle of the schedule, in one step and without guidance."""
    assert off_the_picture(run(follow(model(shape)), **how)) <= 1e-5


@pytest.mark.parametrize("row", [1, 2])
def test_the_picture_can_be_any_row(row):
    """`reference` says which image is the picture."""
    out = run(follow(model(SHALLOW), reference=row))
    assert off_the_picture(out, row) <= 1e-5 < off_the_picture(out)


@pytest.mark.parametrize("end", [0.0001, 0.4])
def test_the_picture_stays_where_the_range_ends(end):
    """The range is that of the attention; the reference is the picture all the time."""
    whole, part = (run(follow(model(SHALLOW), during=(0.0, stop))) for stop in (1.0, end))
    assert off_the_picture(part) <= 1e-5
    assert (whole - part)[1:].abs().max() > 0.01


def test_noise_beyond_the_inversions_own_does_no_harm():
    """With zero terminal SNR a run starts at a sigma of 4500, where no inversion has been."""
    (patcher,) = ModelSamplingDiscrete().patch(model("sd2"), "v_prediction", zsnr=True)
    assert float(patcher.get_model_object("model_sampling").sigma_max) > 1000
    assert off_the_picture(run(follow(patcher))) <= 1e-5


@pytest.mark.parametrize(
    ("sampler", "picture"), [("euler", PICTURE), ("heun", EDIT_FRIENDLY), ("dpmpp_sde", PICTURE)]
)
def test_the_model_sees_the_trajectory(sampler, picture):
    """Whenever the model is called, also between steps, row 0 is the picture's state at that sigma."""
    patcher, calls = listen(follow(model(SHALLOW), picture))
    run(patcher, sampler=sampler)
    assert len(calls) >= 3
    for call in calls:
        assert torch.equal(call["input"][0].cpu(), picture.at(call["sigma"])[0])


def test_two_runs_in_a_row_are_one():
    """A run that stops at sigma 1 leaves noise in the picture's row, which the next run takes out."""
    euler, patched = comfy.samplers.sampler_object("euler"), follow(model(SHALLOW))
    half = walk(patched, euler, [10.0, 3.0, 1.0])
    whole = walk(patched, euler, [10.0, 3.0, 1.0, 0.3, 0.0])
    assert off_the_picture(half) > 1.0
    resumed = walk(patched, euler, [1.0, 0.3, 0.0], latent=half, noise_seed=None)
    assert off_the_picture(resumed) <= 1e-5
    assert_same_image(resumed, whole, tolerance=1e-3)


def test_a_noise_mask_keeps_the_users_latent_outside():
    """Inside the mask row 0 ends as the picture; outside the host puts the latent back, as in all rows.
    What the others look at is the whole picture."""
    latent = torch.full((IMAGES, 4, *SIZE.values()), 2.0)
    mask = torch.zeros(IMAGES, 1, *SIZE.values())
    mask[..., 4:] = 1.0
    patcher, calls = listen(follow(model(SHALLOW)))
    out = run(patcher, latent=latent, noise_mask=mask)
    assert nearly(out[0, ..., 4:], PICTURE.picture[0, ..., 4:], atol=1e-5)
    kept = patcher.model.process_latent_in(latent)[..., :4]
    assert nearly(out[..., :4], kept, atol=1e-5)
    assert all(torch.equal(call["input"][0].cpu(), PICTURE.at(call["sigma"])[0]) for call in calls)


def test_it_writes_into_nothing_it_is_given():
    """Samplers keep their latents and the model's answers for later steps."""
    given, answer = torch.zeros(IMAGES, 4, *SIZE.values()), torch.ones(IMAGES, 4, *SIZE.values())

    class Model:
        sigma = 1.0

        def rest(self, latents):
            assert latents[0].any() and not latents[1:].any()
            return answer

    Pinned(PICTURE, 0).denoise(given, Model())
    assert not given.any() and bool((answer == 1).all())


class NaiveEuler(comfy.samplers.Sampler):
    """Euler's method in float64 which puts the pictures' states, interpolated anew, into the first rows."""

    def __init__(self, *pictures):
        self.pictures = pictures or (PICTURE,)

    def sample(self, model_wrap, sigmas, extra_args, callback, noise, latent_image, *rest, **named):
        levels = sigmas.double().tolist()
        x = latent_image.double() + levels[0] * noise.double()
        for here, after in pairwise(levels):
            for row, picture in enumerate(self.pictures):
                x[row] = self.state(picture, here).to(x)
            expected = model_wrap(x.float(), x.new_full((len(x),), here).float(), **extra_args).double()
            x = x + (x - expected) / here * (after - here)
        return x.float()

    def state(self, picture, sigma):
        own, states = picture.sigmas.double().tolist(), picture.states.double()
        j = max(i for i, s in enumerate(own) if s >= sigma)
        part = (own[j] - sigma) / (own[j] - own[j + 1])
        return (1 - part) * states[j, 0] + part * states[j + 1, 0]


@pytest.mark.parametrize(
    ("shape", "settings"),
    [("sd15", {}), ("sd2", {"score_shift": 0.7, "score_scale": 0.5}), ("sdxl", {})],
    ids=str,
)
def test_the_others_equal_the_naive_version(shape, settings):
    """Another sampler, another attention, float64: the same images beside the picture."""
    sigmas = [9.0, 2.5, 0.5, 0.0]
    words = {"score_shift": "shift", "score_scale": "scale"}
    plain = {words[key]: value for key, value in settings.items()}
    patcher = model(shape)
    expected = naive.replace_self_attention(
        patcher, lambda q, k, v: naive.style_aligned(q, k, v, **plain), blocks(patcher)
    )
    ours = walk(follow(patcher, **settings), comfy.samplers.sampler_object("euler"), sigmas)
    assert_same_image(ours[1:], walk(expected, NaiveEuler(), sigmas)[1:], tolerance=1e-3)
