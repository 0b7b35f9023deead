"""PromptToPrompt's ends and limits through the host, by the maps of a whole run: every attention call against
what the paper says of it, token by token."""

import pytest

from .edited_maps import assert_equal, looks_of
from .editing import change

PERCENTS = (0.0, 0.25, 0.5, 0.75, 1.0)  # of five steps
COARSE, FINE = 15, 60  # cells of the model's grids


def assert_shapes(looks, until, largest):
    """Self-attention is the source's until this percent, on grids of at most so many cells."""
    told = [look for look in looks if look.kind == "self"]
    for look in told:
        taken = look.percent < until and look.cells <= largest
        for image in range(1, len(look.own)):
            assert_equal(look, image, look.own[0 if taken else image])
    assert {look.cells for look in told} == {COARSE, FINE}


def crossed(look, image, sources, ends, factors=None, usual=0.8):
    """An edit's map by hand: token j has the source's token `sources(j)` (None: its own) until its end."""
    new = look.own[image].clone()
    for token in range(new.shape[-1]):
        if look.percent >= ends.get(token, usual):
            continue
        source = sources(token)
        if source is not None:
            new[..., token] = look.own[0][..., source]
        new[..., token] *= (factors or {}).get(token, 1.0)
    return new


def of_big(token):
    """`a red cat` in `a big red cat`: start and `a`, then `big`, then all moved by one."""
    return token if token < 2 else None if token == 2 else token - 1


@pytest.fixture(scope="module")
def ended(clip):
    """A swap and a refinement, with ends between the steps."""
    settings = {"cross_until_words": "dog 0.3, red 0.6", "self_until": 0.6, "self_max_tokens": COARSE}
    outputs = change(clip, "a red cat", "a red dog\na big red cat", **settings)
    return looks_of(outputs, steps=5)[0]


def test_words_end_at_their_percent(ended):
    """`cross_until` for all tokens but those with an end of their own in `cross_until_words`; behind it each
    edit has its own map, although its steps before were the source's."""
    told = [look for look in ended if look.kind == "cross"]
    assert [round(p, 2) for p in dict.fromkeys(look.percent for look in told)] == list(PERCENTS)
    for look in told:
        assert_equal(look, 0, look.own[0])
        assert_equal(look, 1, crossed(look, 1, lambda token: token, {2: 0.6, 3: 0.3}))
        assert_equal(look, 2, crossed(look, 2, of_big, {3: 0.6}))


def test_shapes_end_at_their_percent_and_on_small_grids_alone(ended):
    """A grid of just `self_max_tokens` takes the source's self-attention, one above keeps its own."""
    assert_shapes(ended, 0.6, COARSE)


def test_off_takes_shapes_and_weighs_an_edits_own_words(clip):
    """No word's map is the source's; self-attention is, and `reweight` multiplies what the edit has."""
    settings = {"edit": "off", "self_until": 0.6, "self_max_tokens": FINE, "reweight": "red 3"}
    looks, _ = looks_of(change(clip, "a red cat", "a red dog", **settings), steps=5)
    assert_shapes(looks, 0.6, FINE)
    for look in looks:
        if look.kind == "cross":
            assert_equal(look, 1, crossed(look, 1, lambda token: None, {}, {2: 3.0}))
