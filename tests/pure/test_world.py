"""The emoji world: what a picture shows, what its masks say, and that both repeat."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from attention_control.demo_model.world import (
    BACKGROUNDS,
    COLOURS,
    STYLES,
    SUBJECTS,
    Sprites,
    render,
    sample_scene,
)
from attention_control.demo_model.world.render import recolour
from attention_control.demo_model.world.scene import SIZES
from attention_control.demo_model.world.sunglasses import WEARERS
from attention_control.demo_model.world.surfaces import finish
from attention_control.demo_model.world.vocabulary import DRAWINGS, EVERY_BACKGROUND, EVERY_COLOUR

SEEDS = range(30)


def disc(size: int, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Luminance and coverage of a disc with a bright right half; the radius is a share of the side."""
    y, x = np.mgrid[0:size, 0:size] / (size - 1) - 0.5
    inside = np.clip((radius - np.hypot(x, y)) * size + 0.5, 0, 1)
    return np.where(x > 0, 0.8, 0.3).astype(np.float32), inside.astype(np.float32)


@pytest.fixture(scope="module")
def sprites() -> Sprites:
    """Discs, one radius per noun, finished in each style: the real drawings need npm, the laws do not."""
    tiles = {}
    for index, noun in enumerate(SUBJECTS):
        for size, style in product(SIZES, STYLES):
            tile = (finish(style, *disc(size, 0.28 + 0.004 * index)) * 255).round().astype(np.uint8)
            tiles |= {(drawing, style, noun, size): tile for drawing in DRAWINGS}
    return Sprites(tiles)


def scene(seed, canvas=128, count=None):
    """A random scene, with one to five subjects by its seed."""
    return sample_scene(np.random.default_rng(seed), canvas, canvas, count or 1 + seed % 5)


def test_the_world_is_as_large_as_promised():
    """24 subjects, at least 8 colours, 5 styles, 6 backgrounds."""
    assert (len(SUBJECTS), len(STYLES), len(BACKGROUNDS)) == (24, 5, 6)
    assert len(COLOURS) >= 8
    assert set(COLOURS) < set(EVERY_COLOUR) and set(BACKGROUNDS) < set(EVERY_BACKGROUND)


@pytest.mark.parametrize("seed", SEEDS)
def test_scenes_and_pictures_repeat(seed, sprites):
    """The same seed gives the same scene and the same pixels."""
    first, second = scene(seed), scene(seed)
    assert first == second
    assert np.array_equal(render(first, sprites).image, render(second, sprites).image)


def test_seeds_differ(sprites):
    """Other seeds give other pictures."""
    images = [render(scene(seed), sprites).image for seed in SEEDS]
    assert len({image.tobytes() for image in images}) == len(images)


@pytest.mark.parametrize("seed", SEEDS)
def test_masks_are_disjoint_and_lie_in_their_cells(seed, sprites):
    """What is seen of two subjects never overlaps, and nothing is seen outside a subject's own cell."""
    picture = render(scene(seed), sprites)
    assert (picture.masks.sum(0) <= 1 + 1e-6).all()
    for subject, mask in zip(picture.scene.subjects, picture.masks, strict=True):
        outside = mask.copy()
        outside[subject.top : subject.top + subject.size, subject.left : subject.left + subject.size] = 0
        assert outside.max() == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_every_subject_is_mostly_visible(seed, sprites):
    """Placement keeps subjects apart: at least 60 % of each stays in sight."""
    picture = render(scene(seed), sprites)
    for subject, mask in zip(picture.scene.subjects, picture.masks, strict=True):
        tile = sprites.tile(subject.drawing, picture.scene.style, subject.noun, subject.size)
        whole = np.maximum(tile[..., 1], tile[..., 3]).sum()
        assert mask.sum() >= 0.6 * whole


@pytest.mark.parametrize("seed", SEEDS)
def test_masks_tell_the_pixels_a_subject_changed(seed, sprites):
    """A pixel differs from the bare background only where some mask is above zero."""
    full = scene(seed)
    picture = render(full, sprites)
    bare = render(type(full)(**{**vars(full), "subjects": ()}), sprites)
    changed = (picture.image != bare.image).any(-1)
    assert not (changed & (picture.masks.sum(0) == 0)).any()
    assert changed[picture.masks.max(0) > 0.9].mean() > 0.9


@pytest.mark.parametrize("seed", SEEDS)
def test_boxes_enclose_the_masks_tightly(seed, sprites):
    """The box of a subject is the smallest that holds its mask."""
    picture = render(scene(seed), sprites)
    for box, mask in zip(picture.boxes(), picture.masks, strict=True):
        left, top, right, bottom = box
        seen = mask > 0.5
        assert seen[top:bottom, left:right].sum() == seen.sum()
        assert (
            seen[top, :].any()
            and seen[bottom - 1, :].any()
            and seen[:, left].any()
            and seen[:, right - 1].any()
        )


@pytest.mark.parametrize("colour", EVERY_COLOUR)
def test_recolouring_keeps_the_drawing(colour):
    """Darker stays darker: every colour's ramp rises with luminance, so the drawing's lines survive."""
    brightness = recolour(np.linspace(0, 1, 50, dtype=np.float32), colour).sum(-1)
    assert (np.diff(brightness) > 0).all()


def test_colours_are_apart():
    """The middle tones of any two colours differ clearly, so that a colour can be told."""
    tones = np.array([middle for _, middle, _ in EVERY_COLOUR.values()], float)
    distance = np.linalg.norm(tones[:, None] - tones[None], axis=-1) + 1e3 * np.eye(len(tones))
    assert distance.min() > 50


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("background", EVERY_BACKGROUND)
def test_backgrounds_are_plain(background, style, sprites):
    """A background is calmer than the subjects on it, whose tones go from dark to light."""
    bare = replace(scene(3), background=background, style=style, subjects=())
    assert render(bare, sprites).image.mean(-1).std() < 30


@pytest.mark.parametrize("background", EVERY_BACKGROUND)
def test_every_style_paints_the_ground_differently(background, sprites):
    """On the same background the mean colours of any two styles differ clearly."""
    grounds = [
        render(replace(scene(3), background=background, style=style, subjects=()), sprites).image
        for style in STYLES
    ]
    tones = np.array([ground.mean((0, 1)) for ground in grounds])
    distance = np.linalg.norm(tones[:, None] - tones[None], axis=-1) + 1e3 * np.eye(len(tones))
    print(background, distance.min())
    assert distance.min() > 20


@pytest.mark.parametrize("style", STYLES)
def test_every_drawing_comes_in_every_style(style):
    """Style and drawing are drawn apart: no set of drawings tells the style."""
    scenes = [scene(seed, count=1) for seed in range(400)]
    found = {s.subjects[0].drawing for s in scenes if s.style == style}
    assert found == set(DRAWINGS)


def test_too_many_subjects_are_refused():
    """A count outside 1 to 5 is an error that says so."""
    with pytest.raises(ValueError, match="1 to 5"):
        sample_scene(np.random.default_rng(0), 128, 128, 6)


@pytest.mark.parametrize("noun", WEARERS)
def test_sunglasses_are_seen_on_their_wearer_only(noun, sprites):
    """They change a part of its pixels, stay in its cell, and take the colour that is asked for."""
    bare = scene(7, count=1)
    for colour, drawing, style in (("black", DRAWINGS[0], "clay"), ("red", DRAWINGS[3], "sticker")):
        worn = replace(bare.subjects[0], noun=noun, drawing=drawing, colour="white", wears=colour, size=60)
        pictures = [
            render(replace(bare, style=style, subjects=(replace(worn, wears=wears),)), sprites)
            for wears in ("", colour)
        ]
        changed = (pictures[0].image != pictures[1].image).any(-1)
        assert 0.03 * 60**2 < changed.sum() < 0.4 * 60**2
        assert (pictures[1].masks[0][changed] > 0).all()
        tone = pictures[1].image[changed].astype(int)
        assert (np.ptp(tone, axis=1) > 60).mean() > 0.4 if colour == "red" else tone.mean() < 130
