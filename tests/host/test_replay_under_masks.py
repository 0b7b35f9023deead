"""The samplers that walk an inversion, under a noise mask: what it leaves out stays the picture."""

import comfy.sample
import pytest
import torch
from attention_control.nodes.host.walks.inversion_samplers import Replay
from comfy_extras.nodes_differential_diffusion import DifferentialDiffusion

from .plugging import empty, plugged, words
from .specimen import model
from .test_cross_image import transfer
from .tiny import assert_same_image
from .transfers import SIZE, inverted, pair

STEPS = 3
METHODS = ("ddim", "edit friendly ddpm", "rf-solver")


def half(left=1.0, right=0.0):
    """A noise mask, by default one under which the left half of the picture may change."""
    mask = torch.full((1, 1, *SIZE), right)
    mask[..., : SIZE[1] // 2] = left
    return mask


def walked(outputs, noise_mask=None, cfg=4.0):
    """Latents of a run of MODEL, SAMPLER, SIGMAS and LATENT, in the model's own scale."""
    patched, sampler, sigmas, latent = outputs
    start = latent["samples"]
    prompts = words("sd15", 5), words("sd15", 6)
    how = {"noise_mask": noise_mask, "disable_pbar": True, "seed": 0}
    with torch.inference_mode():
        out = comfy.sample.sample_custom(
            patched, torch.zeros_like(start), cfg, sampler, sigmas, *prompts, start, **how
        )
    return patched.get_model_object("latent_format").process_in(out)


def replayed(inversion, patcher=None, rows=1, **how):
    """Under prompts that are not the inversion's."""
    start = {"samples": torch.zeros(rows, 4, *SIZE)}
    return walked((patcher or model("sd15"), Replay(inversion), inversion.sigmas, start), **how)


@pytest.mark.parametrize("method", METHODS)
def test_what_a_mask_leaves_out_stays_the_picture(method):
    """In every state that the model sees, and in the end; the rest is painted anew, a half-way mask half."""
    inversion, seen = inverted("sd15", 1, method=method, steps=STEPS), []

    def note(apply_model, args):
        seen.append(args["input"][:1].cpu())
        return apply_model(args["input"], args["timestep"], **args["c"])

    watched = model("sd15").clone()
    watched.set_model_unet_function_wrapper(note)
    out = replayed(inversion, watched, rows=2, noise_mask=half())
    for image in out:
        assert_same_image(image[..., 5:], inversion.picture[0, ..., 5:])
        assert not torch.allclose(image[..., :5], inversion.picture[0, ..., :5], rtol=0.05)
    steps = seen[::2] if method == "rf-solver" else seen
    for state, latents in zip(inversion.states, steps, strict=False):
        assert_same_image(latents[..., 5:], state[..., 5:])
    assert torch.equal(replayed(inversion, noise_mask=half(right=1.0)), replayed(inversion))
    assert_same_image(replayed(inversion, noise_mask=half(0.0)), inversion.picture)


@pytest.mark.parametrize("node", ["PlugAndPlay", "CrossImageAttention"])
def test_the_samplers_of_nodes_keep_to_a_mask(node):
    """Their own MODEL, SAMPLER, SIGMAS and LATENT, also where statistics are taken over between the steps."""
    if node == "PlugAndPlay":
        picture = inverted("sd15", 1, method="ddim", steps=STEPS)
        outputs = plugged("sd15", picture, guide_prompt=empty("sd15"))
    else:
        picture, appearance = pair("sd15")
        outputs = transfer("sd15", picture, appearance)
    out, free = walked(outputs, half()), walked(outputs)
    assert_same_image(out[..., 5:], picture.picture[..., 5:])
    assert not torch.allclose(free[..., 5:], picture.picture[..., 5:], rtol=0.05)
    assert not torch.allclose(out[..., :5], picture.picture[..., :5], rtol=0.05)


def test_a_mask_may_change_with_the_steps():
    """Differential Diffusion: what is half masked stays the picture for a while, and is painted then."""
    inversion = inverted("sd15", 1, method="ddim", steps=STEPS)
    (changing,) = DifferentialDiffusion.execute(model("sd15"), 1.0).args
    out = replayed(inversion, changing, noise_mask=half(0.5))
    assert_same_image(out[..., 5:], inversion.picture[..., 5:])
    for other in (inversion.picture, replayed(inversion, noise_mask=half()), replayed(inversion)):
        assert not torch.allclose(out[..., :5], other[..., :5], rtol=0.05)
