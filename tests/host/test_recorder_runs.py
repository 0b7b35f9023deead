"""A recorder leaves pictures as they are, keeps to its memory, and to its own run."""

import pytest
import torch
from attention_control.attention_patches.contract.schedule import PercentRange
from attention_control.attention_patches.maps.recorders.recorder import MEGABYTE
from attention_control.nodes.host.run.install import install

from .recorded import SIZE, record, recorder, spied
from .specimen import SHALLOW, fresh_model
from .tiny import SHAPES, conditioning, sample, tiny_model


@pytest.mark.parametrize("shape", SHAPES)
def test_pictures_stay_as_they_are(shape):
    """To the bit, for any choice of what to keep."""
    model = tiny_model(shape)
    prompts = conditioning(model, seed=1), conditioning(model, seed=2, tokens=154)
    plain = sample(model, *prompts, **SIZE)
    for settings in ({}, {"each_head": True, "queries_and_keys": True, "roles": ("positive", "negative")}):
        patch, store = recorder(model, **settings)
        assert torch.equal(sample(install(model, patch), *prompts, **SIZE), plain)
        assert store.read().layers


def test_the_budget_is_kept_and_refused_before_sampling():
    """What is refused is refused before the model is called, with what to lower; the estimate holds."""
    model, calls = spied(fresh_model(SHALLOW))
    patch, store = recorder(model, memory_limit=2 * MEGABYTE, time_bins=50)
    prompts = conditioning(model, seed=1), conditioning(model, seed=2)
    with pytest.raises(
        ValueError, match=r"memory_limit_mb is 2, but these maps would take \d MB .*time_bins from 50 to \d"
    ):
        sample(install(model, patch), *prompts, **SIZE)
    assert not calls
    assert store.maps is None
    fitting, store = recorder(model, memory_limit=2 * MEGABYTE)
    sample(install(model, fitting), *prompts, **SIZE)
    assert 0 < store.read().megabytes < 2


def test_large_layers_keep_their_words_only():
    """Self-attention is kept up to a number of tokens; with none left the run is a plain one."""
    maps, _ = record("sd15", settings={"self_max_tokens": 15})
    assert {x.grid for x in maps.layers if x.self_attention} == {(3, 5), (2, 3)}
    assert {x.grid for x in maps.layers if x.cross_attention} == {(6, 10), (3, 5), (2, 3)}
    model = fresh_model("sd15")
    patch, store = recorder(model, self_max_tokens=5, cross_layers=frozenset())
    prompts = conditioning(model, seed=1), conditioning(model, seed=2)
    plain = sample(model, *prompts, **SIZE)
    assert torch.equal(sample(install(model, patch), *prompts, **SIZE), plain)
    assert store.maps is None


def test_why_a_first_run_left_nothing_is_said():
    """In numbers of the layers that were chosen, instead of asking for what is connected."""
    model = fresh_model("sd15")
    patch, store = recorder(model, self_max_tokens=15, cross_layers=frozenset(), self_layers=frozenset({1}))
    out = sample(install(model, patch), conditioning(model, seed=1), conditioning(model, seed=2), **SIZE)
    with pytest.raises(ValueError, match=r"maps: nothing was kept .* its smallest layer has 60 tokens"):
        store.read(out.movedim(1, -1)[..., :3])
    with pytest.raises(ValueError, match="nothing has been recorded yet"):
        store.read(torch.rand(2, 7, 7, 3))


def test_a_failed_run_leaves_the_maps_of_the_last_good_one():
    """And the next run replaces them."""
    model = fresh_model(SHALLOW)
    patch, store = recorder(model)
    patched = install(model, patch)
    prompts = conditioning(model, seed=1), conditioning(model, seed=2)
    sample(patched, *prompts, **SIZE)
    before = store.read()
    failing = patched.clone()

    def fail(args):
        raise RuntimeError("failed")

    failing.set_model_sampler_post_cfg_function(fail)
    with pytest.raises(RuntimeError, match="failed"):
        sample(failing, *prompts, **SIZE)
    assert store.read() is before
    sample(patched, *prompts, **SIZE, seed=1)
    assert store.read() is not before


def test_two_recorders_stay_apart():
    """Each keeps what it was asked for, in its own range."""
    model = fresh_model(SHALLOW)
    early, first = recorder(model, during=PercentRange(0, 0.5), self_layers=frozenset(), time_bins=2)
    late, second = recorder(model, during=PercentRange(0.5, 1), cross_layers=frozenset(), time_bins=2)
    prompts = conditioning(model, seed=1), conditioning(model, seed=2)
    sample(install(install(model, early), late), *prompts, **SIZE, steps=4)
    assert all(x.cross_attention and not x.self_attention for x in first.read().layers)
    assert all(x.self_attention and not x.cross_attention for x in second.read().layers)
    assert first.read().slices[-1].end <= second.read().slices[0].start + 0.5


@pytest.mark.parametrize("reason", ["no positive conditioning has the whole picture", "saw no whole step"])
def test_pictures_of_a_run_that_left_nothing_are_not_shown_with_anothers_maps(reason):
    """What it had nothing to do for is said instead, and the earlier picture still finds its own."""
    model = fresh_model(SHALLOW)
    patch, store = recorder(model, during=PercentRange(0.5, 1.0) if "step" in reason else PercentRange())
    positive, negative = conditioning(model, seed=1), conditioning(model, seed=2)
    first = sample(install(model, patch), positive, negative, **SIZE)
    if "step" in reason:
        second = sample(install(model, patch), positive, negative, between=(0, 1), seed=1, **SIZE)
    else:
        inside = [[text, {**more, "area": (4, 4, 0, 0)}] for text, more in positive]
        second = sample(install(model, patch), inside, negative, **SIZE)
    first, second = (out.movedim(1, -1)[..., :3] for out in (first, second))  # linear in the latents
    assert store.read(first) is store.maps
    with pytest.raises(ValueError, match=f"maps: nothing was kept of the run that made .*{reason}"):
        store.read(second)
