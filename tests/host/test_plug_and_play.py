"""Plug-and-Play in the host: against the authors' way, its identities, what it leaves alone."""

from functools import cache

from .plugging import authors_way, empty, plugged, words
from .tiny import assert_same_image
from .transfers import inverted, sampled

# eight steps at 0.12, 0.25, 0.37, ... 1 of the schedule: features in five of them, queries and keys in three
OURS = {"feature_until": 0.7, "attention_until": 0.45}


def output(shape, guide, positive=None, cfg=4.0, **settings):
    """Latents of one run."""
    given = plugged(shape, guide, **settings)
    return sampled(given, positive or words(shape, 5), words(shape, 6), cfg=cfg)


@cache
def theirs(shape):
    return authors_way(shape, inverted(shape, 1, method="ddim"), features=5, attention=3)


def equals_the_authors_way(shape):
    guide = inverted(shape, 1, method="ddim")
    assert_same_image(output(shape, guide, guide_prompt=empty(shape), **OURS), theirs(shape), tolerance=2e-3)


def test_it_equals_the_authors_way(shape):
    """Batch of three rows, explicit maps in float64, features put in place by hooks on the convolutions: the
    same latents as ours from one row and guests."""
    equals_the_authors_way(shape)
