"""Cross-Image Attention with a prompt for each structure, and with prompts for a part of the picture."""

from dataclasses import replace

import pytest
import torch
from nodes import ConditioningSetArea, ConditioningSetMask

from .specimen import SHALLOW, model
from .test_cross_image import HALF, output, transfer
from .tiny import assert_same_image, only_image, spy_calls
from .transfers import SIZE, inverted, prompt, sampled
from .visiting import OTHER, prompts

SHAPE = SHALLOW


def one_of(inversion, image):
    own = slice(image, image + 1)
    return replace(inversion, states=inversion.states[:, own], noise=inversion.noise[:, own])


def test_each_structure_is_sampled_under_its_own_prompt():
    """Two prompts for two structures, one appearance for both: each output is the one that it is alone."""
    structures, appearance = inverted(SHALLOW, 1, images=2), inverted(SHALLOW, 9, OTHER)
    prompts = prompt(SHALLOW, rows=2)
    both = sampled(transfer(SHALLOW, structures, appearance, **HALF), prompts)
    for image in (0, 1):
        given = transfer(SHALLOW, one_of(structures, image), appearance, **HALF)
        alone = sampled(given, only_image(prompts, image))
        assert_same_image(both[image : image + 1], alone, tolerance=2e-3)


def test_one_prompt_is_one_look_at_the_appearance():
    """A single appearance is passed through the model once for all structures, unless they have prompts of
    their own."""
    structures, appearance = inverted(SHALLOW, 1, images=2), inverted(SHALLOW, 9, (9, 7))
    given = transfer(SHALLOW, structures, appearance, **HALF, refresh_structure_every=0)
    for rows in (1, 2):
        with spy_calls(model(SHALLOW)) as calls:
            out = sampled(given, prompt(SHALLOW, rows))
        assert out.isfinite().all()
        assert {call.shape[0] for call in calls if call.shape[-2:] == (9, 7)} == {rows}


@pytest.mark.parametrize("part", ["mask bounds", "area"])  # of all PARTS: test_guest_prompts.py
def test_cross_image_attention_takes_prompts_for_parts(part):
    """Pictures of different size, and a prompt for a part of them: a picture that the prompt has a say in."""
    given = transfer(SHAPE, inverted(SHAPE, 1), inverted(SHAPE, 2, OTHER))
    positive, _ = prompts(model(SHAPE), part, SIZE)
    out = sampled(given, positive)
    assert out.isfinite().all()
    assert not torch.allclose(out, sampled(given, positive[:1]), rtol=0.05)


def test_a_prompt_for_every_part_is_a_prompt_for_the_whole():
    """Under a full mask or a full area Cross-Image Attention gives what it gives under the bare prompt."""
    structure, appearance = inverted(SHAPE, 1), inverted(SHAPE, 2, OTHER)
    expected = output(SHAPE, structure, appearance, **HALF)
    masked = ConditioningSetMask().append(prompt(SHAPE), torch.ones(1, 48, 80), "default", 1.0)[0]
    whole = ConditioningSetArea().append(prompt(SHAPE), 80, 48, 0, 0, 1.0)[0]
    for text in (masked, whole):
        out = sampled(transfer(SHAPE, structure, appearance, **HALF), text)
        assert_same_image(out, expected, tolerance=2e-3)
