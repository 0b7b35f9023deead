"""The original's background behind one step, under samplers with steps or memories of their own."""

from types import SimpleNamespace

import pytest
import torch
from attention_control.attention_patches.methods.shape_variations import background
from attention_control.attention_patches.methods.shape_variations.background import Background
from attention_control.attention_patches.methods.shape_variations.blending_calls import BlendingCalls
from attention_control.attention_patches.methods.shape_variations.finding import Finding, Named
from attention_control.attention_patches.text.words import Word

from .methods import METHODS
from .specimen import SHALLOW, model
from .tiny import conditioning, sample

SPECIMEN = next(specimen for specimen in METHODS if specimen.name == "shape variations, background")
SIZE = {"height": 6, "width": 10}


@pytest.fixture
def left(monkeypatch):
    """The left part of every image is what may differ."""

    def masks(self):
        self.seen = (True,) * 3
        places = torch.zeros(3, 1, *SIZE.values(), dtype=torch.bool)
        places[..., :4] = True
        return places

    monkeypatch.setattr(background.Background, "_masks", masks)


def apart(sampler, **settings):
    """How far the background of the variations is from the original's, as part of its deviation."""
    prompts = conditioning(model(SHALLOW), 3, seed=1), conditioning(model(SHALLOW), seed=2)
    how = {"batch": 3, "images": [0, 0, 0], "steps": 8, "cfg": 3.0, "sampler": sampler, **SIZE}
    out = sample(SPECIMEN.on(model(SHALLOW), **settings), *prompts, **how)
    return float((out[1:] - out[:1])[..., 4:].square().mean().sqrt() / out[0].std())


SAMPLERS = {
    "dpm_fast": "blended once",
    "dpm_adaptive": "blended once",
    "dpmpp_3m_sde": "blended behind 3 steps",
    "dpmpp_2m_cfg_pp": "blended behind 2 steps",
}


@pytest.mark.parametrize(("sampler", "told"), SAMPLERS.items(), ids=SAMPLERS)
def test_it_reaches_what_the_sampler_goes_on_from(left, sampler, told, report):
    """Also where steps begin at other levels than the schedule's, and where what was expected earlier is
    remembered; the report says how often it was blended."""
    assert apart(sampler, blend_at=0.5) < 0.01
    assert told in report("ShapeVariations")[0][1]
    assert apart(sampler, named=None) > 0.1


def latents():
    """Of three images, which differ."""
    return torch.randn(3, 4, *SIZE.values(), generator=torch.Generator().manual_seed(1))


def at_work(levels, **more):
    """A Background that has found its masks at the first of these levels: nothing may differ."""
    calls = BlendingCalls(levels=levels, **more)
    finding = Finding(spec=Named((Word("cat", (1,)),)), grids={}, done=True)
    masks = torch.zeros(3, 1, *SIZE.values(), dtype=torch.bool)
    return Background(
        finding=finding,
        at=0.0,
        latent=tuple(SIZE.values()),
        calls=calls,
        masks=masks,
        seen=(True,) * 3,
        sigma=levels[0],
    )


def called(part, *sigmas):
    """In which calls of the sampler, each on other latents, it blends."""
    return [part.shift(latents(), SimpleNamespace(sigma=sigma)) for sigma in sigmas]


def test_no_step_behind_it_is_told():
    """Of calls between the levels none is blended; without any call behind it, the step itself was."""
    part = at_work((8.0,))
    assert called(part, 8.0, 5.0) == [False, False]
    assert part.describe() == "No background was blended: the sampler begins no step behind blend_at."
    assert part.finding.done and "blended once" in at_work((8.0,)).describe()


def test_by_the_schedule_all_calls_at_the_level_behind_are_blended():
    """Not those between levels, nor those at later ones, unless the sampler remembers for so many steps. Some
    begin a little below the first level."""
    sigmas = (7.99, 6.0, 4.0, 4.0, 3.0, 2.0, 1.0)
    levels = (8.0, 4.0, 2.0, 1.0)
    assert called(at_work(levels), *sigmas) == [False, False, True, True, False, False, False]
    assert called(at_work(levels, further=1), *sigmas)[2:] == [True, True, False, True, False]


def test_with_levels_of_its_own_a_sampler_is_blended_until_it_keeps_it():
    """From the first call that has left out a level of the schedule."""
    part = at_work((8.0, 4.0, 2.0))
    assert called(part, 8.0, 5.0, 3.0, 2.5) == [False, False, True, True]
    near = latents()
    near[1:] = near[:1] + 0.1 * near[1:]
    assert not part.shift(near, SimpleNamespace(sigma=1.5))
    assert called(part, 1.0) == [False]
    assert part.calls.steps == 1
