"""Noise levels as the nodes of inversions hand them on: UniPC writes into those that it is given."""

import comfy.samplers
import pytest
import torch

from .inverting import invert
from .plugging import empty, plugged
from .specimen import SHALLOW, model
from .test_cross_image import transfer
from .transfers import inverted, pair, prompt, sampled


def by_inverting():
    inversion, _, sigmas = invert(model(SHALLOW), "ddim")
    return inversion, sigmas


def by_plugging():
    inversion = inverted(SHALLOW, 1, method="ddim", steps=2)
    return inversion, plugged(SHALLOW, inversion)[2]


def by_transfer():
    structure, appearance = pair(SHALLOW)
    return structure, transfer(SHALLOW, structure, appearance)[2]


NODES = {"InvertLatent": by_inverting, "PlugAndPlay": by_plugging, "CrossImageAttention": by_transfer}


@pytest.mark.parametrize("made", NODES.values(), ids=NODES)
def test_what_is_written_into_them_does_not_reach_the_inversion(made):
    """Which would end above 0, and could not be loaded again when it is saved."""
    inversion, sigmas = made()
    assert sigmas[-1] == 0
    with torch.inference_mode():
        sigmas[-1] = 0.001
    assert inversion.sigmas[-1] == 0


def test_an_inversion_keeps_the_levels_that_it_was_made_with():
    """Whatever is run along those of the same node later on."""
    given = torch.tensor([2.0, 1.0, 0.0])
    inversion, *_ = invert(model(SHALLOW), "ddim", sigmas=given)
    given[-1] = 0.001
    assert inversion.sigmas[-1] == 0


def test_unipc_leaves_them_as_they_were():
    """So the next run, by another sampler, goes on to the picture."""
    patched, _, sigmas, latent = plugged(
        SHALLOW, inverted(SHALLOW, 3, method="ddim", steps=2), guide_prompt=empty(SHALLOW)
    )
    before = sigmas.clone()
    sampled((patched, comfy.samplers.sampler_object("uni_pc"), sigmas, latent), prompt(SHALLOW))
    assert torch.equal(sigmas, before)
