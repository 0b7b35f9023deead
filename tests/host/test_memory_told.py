"""The host is told what methods need beyond a plain run before it loads the model."""

import comfy.sampler_helpers
import pytest

from . import guidance_methods
from .methods import METHODS
from .specimen import model
from .tiny import conditioning, sample

KEEPS = {"prompt to prompt", "prompt to prompt, until", "prompt to prompt, blended", "plug and play"}
KEEPS |= {"shape variations, keeping", "shape variations, background"}
KEEPS |= {"style aligned", "all images", "cross image", "style of a picture", "styles of two pictures"}
KEEPS |= {"multidiffusion"}  # windows of one call, in place of the picture
KEEPS |= {"shift and scale, last is reference", *(method.name for method in guidance_methods.METHODS)}


@pytest.fixture
def told(monkeypatch):
    """How many images' worth of memory the host looks for, beyond those of a run of three."""
    asked, estimate = [], comfy.sampler_helpers.estimate_memory

    def note(patcher, noise_shape, conds):
        asked.append(noise_shape[0])
        return estimate(patcher, noise_shape, conds)

    def run(patcher):
        prompts = conditioning(patcher, seed=1), conditioning(patcher, seed=2)
        sample(patcher, *prompts, batch=3, height=6, width=10, steps=1)
        return asked.pop() - 3

    monkeypatch.setattr(comfy.sampler_helpers, "estimate_memory", note)
    return run


@pytest.mark.parametrize("method", [*METHODS, *guidance_methods.METHODS], ids=lambda method: method.name)
def test_the_host_is_told(told, method):
    """Of those that keep keys or go down a gradient; a plain run asks for nothing more."""
    assert told(model("sd15")) == 0
    assert (told(method.on(model("sd15"))) > 0) == (method.name in KEEPS)
