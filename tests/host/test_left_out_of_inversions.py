"""Host samplers that start at an inversion's noise, under a noise mask: what it leaves out is the picture."""

import comfy.samplers
import pytest
import torch
from comfy_extras.nodes_differential_diffusion import DifferentialDiffusion

from .plugging import empty, plugged
from .specimen import SHALLOW, model
from .test_cross_image import transfer
from .test_replay_under_masks import half, walked
from .tiny import assert_same_image
from .transfers import inverted, pair

STEPS = 3


def picture(images=1):
    return inverted(SHALLOW, 1, method="ddim", steps=STEPS, images=images)


def repainted(patcher=None, rows=1, images=1):
    """Plug-and-Play's outputs."""
    return plugged(SHALLOW, picture(images), patcher=patcher, rows=rows, guide_prompt=empty(SHALLOW))


def by(sampler, outputs, noise_mask=None, steps=slice(None)):
    """A run by one of the host's samplers in place of the node's own."""
    patched, _, sigmas, latent = outputs
    return walked((patched, comfy.samplers.sampler_object(sampler), sigmas[steps], latent), noise_mask)


@pytest.mark.parametrize("sampler", ["euler", "ddim", "dpmpp_2m", "uni_pc"])
def test_plug_and_play_keeps_the_guide(sampler):
    """In all rows, and the rest is repainted; `ddim` has noise of its own there, and uni_pc stops early."""
    out = by(sampler, repainted(rows=2), half())
    tolerance = 0.02 if sampler == "uni_pc" else 1e-4
    for image in out:
        assert_same_image(image[..., 5:], picture().picture[0, ..., 5:], tolerance)
        assert not torch.allclose(image[..., :5], picture().picture[0, ..., :5], rtol=0.05)


def test_each_image_keeps_its_own_guide():
    """Of two."""
    out = by("euler", repainted(images=2), half())
    assert_same_image(out[..., 5:], picture(2).picture[..., 5:])


def test_cross_image_attention_keeps_the_structure():
    """From the step on at which the output leaves it."""
    structure, appearance = pair(SHALLOW)
    out = by("euler", transfer(SHALLOW, structure, appearance), half())
    assert_same_image(out[..., 5:], structure.picture[..., 5:])


def test_the_model_sees_the_pictures_own_states():
    """So what is repainted fits to it; a mask of all white changes nothing."""
    seen, watched = [], model(SHALLOW).clone()

    def note(apply_model, args):
        seen.append(args["input"].cpu())
        return apply_model(args["input"], args["timestep"], **args["c"])

    watched.set_model_unet_function_wrapper(note)
    by("euler", repainted(watched), half())
    own = [latents for latents in seen if len(latents) == 2]  # the guide is one row
    assert len(own) == STEPS
    for state, latents in zip(picture().states, own, strict=False):
        assert_same_image(latents[:1, ..., 5:], state[..., 5:])
    assert torch.equal(by("euler", repainted(), half(right=1.0)), by("euler", repainted()))


def test_two_halves_are_one_run():
    """The second goes on with the noise that the first leaves."""
    patched, sampler, sigmas, latent = repainted()
    first = by("euler", (patched, sampler, sigmas, latent), half(), slice(2))
    between = {"samples": patched.model.process_latent_out(first)}
    second = by("euler", (patched, sampler, sigmas, between), half(), slice(1, None))
    assert_same_image(second, by("euler", repainted(), half()))


def test_a_mask_may_change_with_the_steps():
    """Differential Diffusion."""
    (changing,) = DifferentialDiffusion.execute(model(SHALLOW), 1.0).args
    out = by("euler", repainted(changing), half(0.5))
    assert_same_image(out[..., 5:], picture().picture[..., 5:])
    for other in (picture().picture, by("euler", repainted(), half()), by("euler", repainted())):
        assert not torch.allclose(out[..., :5], other[..., :5], rtol=0.05)
