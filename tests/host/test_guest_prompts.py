"""Prompts for a part of the picture, as guests of a run see them that are of another size."""

from dataclasses import dataclass

import pytest
import torch
from attention_control.nodes.host.calls.guest_prompts import scaled_area
from attention_control.nodes.host.run.install import install
from nodes import ControlNetApplyAdvanced

from .just import Blind, Just
from .specimen import SHALLOW, model
from .tiny import assert_same_image, conditioning
from .tiny.extras import tiny_controlnet
from .transfers import SIZE
from .visiting import OTHER, PARTS, TWICE, Visited, as_guest, by_itself, latents, prompts, run, with_hook

SHAPE = SHALLOW


@pytest.mark.parametrize(
    ("shape", "part"), [(("sd15", "sdxl", "sd2")[n % 3], part) for n, part in enumerate(PARTS)]
)
def test_a_guest_is_seen_as_in_a_run_of_its_own_size(shape, part):
    """Masks and areas lie where the host would put them in a picture of that size; SDXL is told that size."""
    patcher = model(shape)
    for size in (TWICE,) if part == "area" else (TWICE, OTHER):
        guest = latents(size)
        found, _ = as_guest(patcher, guest, prompts(patcher, part, SIZE))
        assert_same_image(found, by_itself(patcher, guest, prompts(patcher, part, size)))


@pytest.mark.parametrize("part", PARTS)
def test_a_guest_leaves_the_run_alone(part):
    """The run's own picture is the same to the bit, its prompts lie where they lay."""
    patcher = model(SHAPE)
    own = prompts(patcher, part, SIZE)
    _, picture = as_guest(patcher, latents(OTHER), own)
    assert torch.equal(picture, run(patcher, SIZE, own))


@pytest.mark.parametrize("size", [SIZE, OTHER], ids=str)
@pytest.mark.parametrize("part", ["mask bounds", "area"])
def test_a_guest_may_be_seen_whole(part, size):
    """Two of them, under prompts for a part of the picture and in a row for each image: as alone under the
    first rows of the same prompts without a place. The run's own picture is the same to the bit."""
    patcher, guest = model(SHAPE), latents(size)
    positive, negative = conditioning(patcher, 2, seed=1), conditioning(patcher, seed=2)
    placed = PARTS[part](conditioning(patcher, seed=7), SIZE)
    found, picture = as_guest(patcher, torch.cat([guest, -guest]), (positive + placed, negative), whole=True)
    assert torch.equal(picture, run(patcher, SIZE, (positive + placed, negative)))
    assert not torch.allclose(found[0], found[1])
    first = [[text[:1], {**more, "pooled_output": more["pooled_output"][:1]}] for text, more in positive]
    strength = {"strength": placed[0][1]["strength"]} if "strength" in placed[0][1] else {}
    everywhere = [[text, {**more, **strength}] for text, more in conditioning(patcher, seed=7)]
    for own, visitor in zip((guest, -guest), found, strict=True):
        assert_same_image(visitor[None], by_itself(patcher, own, (first + everywhere, negative)))


def test_areas_keep_their_part_of_the_picture():
    """Cells or percent of one size in cells of another: inside it, and never empty."""
    assert scaled_area((3, 5, 3, 5), (6, 10), (12, 20)) == (6, 10, 6, 10)
    assert scaled_area(("percentage", 0.5, 0.5, 0.5, 0.25), (6, 10), (8, 12)) == (4, 6, 4, 3)
    assert scaled_area((1, 1, 19, 19), (20, 20), (7, 3)) == (1, 1, 6, 2)


def test_a_lora_on_the_prompt_is_there_for_guests():
    """The host's hook: for a guest as in a run of its own size."""
    patcher, guest = model(SHAPE), latents(OTHER)
    found, _ = as_guest(patcher, guest, with_hook(patcher))
    assert_same_image(found, by_itself(patcher, guest, with_hook(patcher)))
    bare = by_itself(patcher, guest, prompts(patcher, "mask", SIZE))
    assert not torch.allclose(found, bare, rtol=0.05)


def test_a_guest_leaves_the_keyframes_of_a_hook_where_they_are():
    """A guest that comes in the middle of a run, where the LoRA has reached its third strength."""
    patcher, keyframes = model(SHAPE), ((20.0, 0.2), (4.5, 0.5), (3.5, 0.9))
    how = {"sigmas": torch.tensor([5.0, 4.0, 3.0, 2.0, 0.0])}
    late = install(patcher, Just([Visited(guest=latents(OTHER), below=2.5)]))
    visited = run(late, SIZE, with_hook(patcher, *keyframes), **how)
    assert torch.equal(visited, run(patcher, SIZE, with_hook(patcher, *keyframes), **how))


def test_guests_get_no_controlnet():
    """Of another size neither: a ControlNet changes the run, and not what is expected of its guest."""
    patcher = model(SHAPE)
    own = prompts(patcher, "mask", SIZE)
    hint = torch.rand(1, 48, 80, 3, generator=torch.Generator().manual_seed(1))
    controlled = ControlNetApplyAdvanced().apply_controlnet(
        *own, tiny_controlnet(patcher), hint, 0.5, 0.0, 1.0
    )
    guest = latents(OTHER)
    found, picture = as_guest(patcher, guest, controlled)
    assert_same_image(found, by_itself(patcher, guest, own))
    assert not torch.allclose(picture, run(patcher, SIZE, own), rtol=0.05)


@pytest.mark.parametrize("size", [SIZE, OTHER])
def test_a_guest_may_have_a_prompt_of_its_own(shape, size):
    """It is seen as in a run of its own under that prompt alone, whatever its size and the run's prompts; and
    the run is the same to the bit."""
    patcher, guest = model(shape), latents(size)
    own, the_runs = conditioning(patcher, seed=9), prompts(patcher, "area", SIZE)
    found, picture = as_guest(patcher, guest, the_runs, own)
    assert_same_image(found, by_itself(patcher, guest, (own, []), cfg=1.0))
    assert torch.equal(picture, run(patcher, SIZE, the_runs))


def test_a_guests_own_prompt_is_one_chunk_of_its_own_role():
    """Of no role of the run, whether the run has CFG or not."""
    patcher, seen = model(SHAPE), []

    class Looks(Blind):
        def wants(self, site):
            seen.append(site.rows)
            return False

    @dataclass
    class Visiting:
        def denoise(self, latents, model):
            model.guests(latents, Looks(), prompt=conditioning(patcher, seed=9))
            return model.rest(latents)

    run(install(patcher, Just([Visiting()])), SIZE, prompts(patcher, "mask", SIZE))
    assert {tuple((text.role, text.entry) for text in rows.texts) for rows in seen} == {(("guests", 0),)}
