"""A style is a surface: it can be told from any part of a drawing, and it leaves the drawing in place."""

import numpy as np
import pytest
from attention_control.demo_model.world import STYLES
from attention_control.demo_model.world.surfaces import finish, ground, margin

SIZE = 96
Y, X = np.mgrid[0:SIZE, 0:SIZE] / (SIZE - 1) - 0.5
DISTANCE = np.hypot(X, Y)
RADIUS = 0.35
outside = DISTANCE - RADIUS
LUMINANCE = np.where(X > 0, 0.8, 0.3).astype(np.float32)
COVERAGE = np.clip((RADIUS - DISTANCE) * SIZE + 0.5, 0, 1).astype(np.float32)
RIMMED = ("cartoon", "sticker")


def finished(style: str) -> np.ndarray:
    """(SIZE, SIZE, 4): a disc with a bright right half."""
    return finish(style, LUMINANCE, COVERAGE)


@pytest.mark.parametrize("style", STYLES)
def test_the_drawing_keeps_its_place(style):
    """Coverage is that of the drawing, and its brighter half stays brighter."""
    tile = finished(style)
    assert np.array_equal(tile[..., 1], COVERAGE)
    inside = DISTANCE < RADIUS - 0.02
    assert tile[..., 0][inside & (X > 0)].mean() > tile[..., 0][inside & (X < 0)].mean() + 0.1
    assert tile.min() >= 0 and tile.max() <= 1


@pytest.mark.parametrize("style", STYLES)
def test_a_rim_surrounds_the_drawing_within_its_margin(style):
    """Only cartoon and sticker have one; it is closed and fits the margin that is left for it."""
    rim = finished(style)[..., 3]
    if style not in RIMMED:
        assert rim.max() == 0 and margin(style) == 0
        return
    assert rim[(outside > 0) & (outside < 0.8 * margin(style))].min() > 0.9
    assert rim[outside > margin(style) + 1.5 / SIZE].max() == 0


def test_ink_has_the_most_contrast():
    """Its two halves are nearly black and nearly white; those of other styles are not."""
    row = slice(SIZE // 4, 3 * SIZE // 4)
    for style in STYLES:
        spread = np.ptp(finished(style)[SIZE // 2, row, 0])
        assert spread > 0.95 if style == "ink" else spread < 0.7


PAINTED = {
    "clay": (120.9, 121.6, 99.2),
    "flat": (104.0, 115.2, 153.6),
    "ink": (150, 150, 150),
    "cartoon": (90, 180, 180),
    "sticker": (54.6, 75.2, 96.0),
}


@pytest.mark.parametrize("style", STYLES)
def test_the_ground_takes_the_tone_of_the_style(style):
    """Worked out by hand for one colour: warm, lilac, gray, strong and dark."""
    plain = np.full((3, 4, 3), (130.0, 160.0, 160.0), np.float32)
    assert np.allclose(ground(style, plain), PAINTED[style], atol=1e-3)


def test_clay_is_lit_from_above():
    """The same tone is lighter at the top of the drawing than at its bottom; nothing else is lit."""
    for style in STYLES:
        tone, column = finished(style)[..., 0], int(0.7 * SIZE)
        above, below = tone[int(0.3 * SIZE), column], tone[int(0.7 * SIZE), column]
        assert above > below + 0.2 if style == "clay" else above == below


def test_flat_has_the_least_contrast():
    """The bright and the dark half are closer to each other than in styles with lines or rims."""
    contrast = {
        s: np.ptp(finished(s)[SIZE // 2, SIZE // 4 : 3 * SIZE // 4, 0]) for s in ("flat", "ink", *RIMMED)
    }
    assert contrast["flat"] < 0.7 * min(v for s, v in contrast.items() if s != "flat")


def test_cartoon_is_outlined_dark_and_sticker_light():
    """Just outside the drawing the one is nearly black, the other white with a gray line around it."""
    near = (outside > 1 / SIZE) & (outside < 0.04)
    assert finished("cartoon")[..., 2][near].max() < 0.2
    assert finished("sticker")[..., 2][near].min() == 1
    edge = (outside > 0.08) & (outside < margin("sticker") - 0.5 / SIZE)
    assert finished("sticker")[..., 2][edge].max() < 0.6
