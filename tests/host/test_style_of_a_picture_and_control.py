"""With a reference picture, ControlNets act on all images but the picture."""

from unittest.mock import patch

import pytest
import torch

from .companions import controlnet
from .specimen import model
from .test_style_of_a_picture import IMAGES, PICTURE, SIZE, follow, listen
from .tiny import conditioning, sample
from .tiny.precision import nearly


def prompts(patcher, controlled):
    """Positive and negative, with a random ControlNet on both or without."""
    both = conditioning(patcher, IMAGES, seed=1), conditioning(patcher, seed=2)
    return controlnet(patcher, both) if controlled else both


def run(patcher, controlled=True):
    """A batch of IMAGES."""
    return sample(patcher, *prompts(patcher, controlled), batch=IMAGES, **SIZE)


def residuals(patcher):
    """What the U-Net gets from the ControlNet in the first step: a list of (chunks, IMAGES, ...)."""
    network, found = patcher.model.diffusion_model, []
    original = network.forward

    def forward(*args, **kwargs):
        found.append({name: [r.clone() for r in rs] for name, rs in kwargs["control"].items()})
        return original(*args, **kwargs)

    with patch.object(network, "forward", forward):
        run(patcher)
    return [r.unflatten(0, (-1, IMAGES)) for rs in found[0].values() for r in rs]


@pytest.mark.parametrize(("shape", "row"), [("sd15", 0), ("sdxl", 2)])
def test_the_picture_gets_no_residual_and_the_others_theirs(shape, row):
    """In every block and chunk: zero for the picture, for the others what they get in a plain batch."""
    others = [image for image in range(IMAGES) if image != row]
    ours, plain = residuals(follow(model(shape), reference=row)), residuals(model(shape))
    assert len(ours) == len(plain) > 3
    for own, usual in zip(ours, plain, strict=True):
        assert not own[:, row].any()
        assert usual.abs().amax((2, 3, 4)).min() > 0
        assert torch.equal(own[:, others], usual[:, others])


@pytest.mark.parametrize("shape", ["sd2"])
def test_without_a_picture_all_images_are_controlled(shape):
    """The reference is then drawn by this run and takes part in the control."""
    ours, plain = residuals(follow(model(shape), picture=None)), residuals(model(shape))
    assert all(torch.equal(own, usual) for own, usual in zip(ours, plain, strict=True))


@pytest.mark.parametrize("shape", ["sd15"])
def test_what_the_model_makes_of_the_picture_is_what_it_makes_without_control(shape):
    """Compared with a run without ControlNet: the same for the picture, in each step; other images."""
    seen = {}
    for controlled in (True, False):
        patcher, seen[controlled] = listen(follow(model(shape)))
        images = run(patcher, controlled)
        assert nearly(patcher.model.process_latent_in(images)[0], PICTURE.picture[0], atol=1e-5)
    for one, other in zip(seen[True], seen[False], strict=True):
        for kind in ("cond_denoised", "uncond_denoised"):
            assert nearly(one[kind][0], other[kind][0], atol=1e-4)
            assert (one[kind] - other[kind])[1:].abs().amax((1, 2, 3)).min() > 0.01
