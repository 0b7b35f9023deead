"""All that belongs to a place goes round the right edge with the windows: a picture of which all is turned by
a stride is the same picture, turned."""

import pytest
import torch
from attention_control.attention_patches.contract.views import RegionPrompts
from attention_control.attention_patches.methods.multidiffusion.method import MultiDiffusion
from attention_control.attention_patches.methods.multidiffusion.regions import Region
from attention_control.attention_patches.methods.style_aligned.style_reference import StyleReference
from attention_control.nodes.host.run.install import install
from nodes import ConditioningSetArea, ConditioningSetMask, ControlNetApplyAdvanced

from .layout_runs import noise, run
from .regions import text
from .specimen import SHALLOW, model
from .test_style_references import PICTURE, SMALL, mixed
from .tiny import assert_same_image
from .tiny.extras import tiny_controlnet

HEIGHT, WIDTH, TURN = 6, 16, 4
COLOUR = torch.tensor([0.5, -1.0, 2.0, 0.3])[None, :, None, None]
BOX = torch.zeros(HEIGHT, WIDTH)
BOX[1:5, 5:9] = 1.0


def anything(seed, *size):
    return torch.rand(1, *size, generator=torch.Generator().manual_seed(seed))


def windows(**settings):
    how = {"window": (HEIGHT, 8), "stride": TURN, "wrap": True, "per_call": 3}
    return install(model(SHALLOW), MultiDiffusion(**how, **settings))


def hint(turn):
    turned = anything(1, HEIGHT * 8, WIDTH * 8, 3).roll(turn * 8, 2)
    control = tiny_controlnet(model(SHALLOW))
    return windows(), *ControlNetApplyAdvanced().apply_controlnet(
        text(1), text(2), control, turned, 0.4, 0.0, 1.0
    )


def masks(turn):
    mask = anything(3, HEIGHT, WIDTH).roll(turn, -1) * 0.8 + 0.1
    (one,) = ConditioningSetMask().append(text(1), mask, "default", 0.7)
    (other,) = ConditioningSetMask().append(text(3), 1 - mask, "default", 1.0)
    return windows(), one + other, text(2)


def area(turn):
    """Of cells 1 to 5: the last windows reach it behind the edge only."""
    (inside,) = ConditioningSetArea().append(text(3), 32, 32, (1 + turn) * 8, 8, 1.0)
    return windows(), text(1) + inside, text(2)


def region(turn):
    own = Region(RegionPrompts(positive=text(3), negative=text(4)), BOX.roll(turn, -1))
    return windows(regions=(own,), bootstrap=1.0, backgrounds=COLOUR), text(1), text(2)


def styles(turn):
    mask = anything(3, HEIGHT, WIDTH).roll(turn, -1)
    references = StyleReference(PICTURE, mask=mask), StyleReference(SMALL, mask=1 - mask)
    return mixed(windows(), *references, by_place=True), text(1), text(2)


@pytest.mark.parametrize("what", [hint, masks, area, region, styles], ids=lambda what: what.__name__)
def test_what_goes_round(what):
    """The hint of a ControlNet, masks and areas of prompts, regions and what they see early, references."""
    start = noise(1, (HEIGHT, WIDTH))
    picture = run(*what(0), start, steps=2)
    assert_same_image(run(*what(TURN), start.roll(TURN, -1), steps=2), picture.roll(TURN, -1))
