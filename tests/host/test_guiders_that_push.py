"""Under which of the host's guiders PlugAndPlay pushes away from a prompt, and what its report says."""

import pytest
import torch
from comfy.samplers import CFGGuider
from comfy_extras import nodes_custom_sampler
from comfy_extras.nodes_custom_sampler import Guider_DualCFG
from comfy_extras.nodes_perpneg import Guider_PerpNeg

from .plugging import empty, plugged, words
from .specimen import model
from .tiny import assert_same_image
from .transfers import inverted

SHAPE = "sd15"
POSITIVE, NEGATIVE, OTHER, AWAY = 5, 6, 8, 7  # seeds of texts


def guided(make, away):
    """Latents of the last two of the guide's steps."""
    how = {"guide_prompt": empty(SHAPE), "away_from": words(SHAPE, AWAY) if away else None}
    patched, sampler, sigmas, latent = plugged(SHAPE, inverted(SHAPE, 1, method="ddim"), **how)
    guider, start = make(patched), latent["samples"]
    with torch.inference_mode():
        return guider.sample(torch.zeros_like(start), start, sampler, sigmas[-3:], seed=0)


def made(kind, texts, *scales, further=(), **how):
    """Makes a guider of a MODEL."""

    def make(patched):
        guider = kind(patched, *further)
        guider.set_conds(*(words(SHAPE, seed) for seed in texts))
        guider.set_cfg(*scales, **how)
        return guider

    return make


def plain(cfg):
    return made(CFGGuider, (POSITIVE, NEGATIVE), cfg)


def dual(*scales, **how):
    return made(Guider_DualCFG, (POSITIVE, OTHER, NEGATIVE), *scales, **how)


def perpendicular(*scales):
    return made(Guider_PerpNeg, (POSITIVE, NEGATIVE, OTHER), *scales)


def of_two_models(patched):
    kind = nodes_custom_sampler.Guider_DualModel
    return made(kind, (POSITIVE, NEGATIVE), 4.0, further=(model(SHAPE),))(patched)


GUIDERS = {
    "cfg 4": (plain(4.0), True),
    "cfg 1": (plain(1.0), False),
    "dual": (dual(4.0, 4.0), True),
    "dual, 1 of the conditionings": (dual(1.0, 4.0), True),
    "dual, 1 of the negative": (dual(4.0, 1.0), False),
    "dual, nested": (dual(4.0, 4.0, nested=True), True),
    "dual, nested, 1 of the negative": (dual(4.0, 1.0, nested=True), False),
    "perp-neg at cfg 1": (perpendicular(1.0, 1.0), True),
    "perp-neg of nothing": (perpendicular(4.0, 0.0), False),
}
if hasattr(nodes_custom_sampler, "Guider_DualModel"):  # not in older hosts
    GUIDERS["of two models"] = (of_two_models, False)


@pytest.mark.parametrize(("make", "pushes"), GUIDERS.values(), ids=GUIDERS)
def test_guiders_that_look_at_the_negative(make, pushes, report):
    """Are pushed away from the prompt, and the report says of others that they are not."""
    away, bare = (guided(make, way) for way in (True, False))
    if pushes:
        assert not torch.allclose(away, bare, rtol=0.05)
    else:
        assert_same_image(away, bare)
    told = [line for _, line in report("PlugAndPlay") if "Nothing was pushed away" in line]
    assert bool(told) is not pushes
