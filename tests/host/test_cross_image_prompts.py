"""Cross-Image Attention with a prompt for each structure."""

from dataclasses import replace

import pytest

from .methods import model
from .test_cross_image import WHOLE, transfer
from .tiny import assert_same_image, only_image, spy_calls
from .transfers import inverted, prompt, sampled


def one_of(inversion, image):
    own = slice(image, image + 1)
    return replace(inversion, states=inversion.states[:, own], noise=inversion.noise[:, own])


@pytest.mark.parametrize("size", [(6, 10), (9, 7)])
def test_each_structure_is_sampled_under_its_own_prompt(size):
    """Two prompts for two structures, one appearance for both: each output is the one that it is alone."""
    structures, appearance = inverted("sd15", 1, images=2), inverted("sd15", 9, size)
    prompts = prompt("sd15", rows=2)
    both = sampled(transfer("sd15", structures, appearance, **WHOLE), prompts)
    for image in (0, 1):
        given = transfer("sd15", one_of(structures, image), appearance, **WHOLE)
        alone = sampled(given, only_image(prompts, image))
        assert_same_image(both[image : image + 1], alone, tolerance=2e-3)


def test_one_prompt_is_one_look_at_the_appearance():
    """A single appearance is passed through the model once for all structures, unless they have prompts of
    their own."""
    structures, appearance = inverted("sd15", 1, images=2), inverted("sd15", 9, (9, 7))
    given = transfer("sd15", structures, appearance, **WHOLE, refresh_structure_every=0)
    for rows in (1, 2):
        with spy_calls(model("sd15")) as calls:
            out = sampled(given, prompt("sd15", rows))
        assert out.isfinite().all()
        assert {call.shape[0] for call in calls if call.shape[-2:] == (9, 7)} == {rows}
