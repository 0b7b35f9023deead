"""CrossImageAttention's runs: beside other nodes, cancelled, and how many passes they take."""

import pytest
import torch
from attention_control.attention_patches.maps.recorded import MapStore
from attention_control.attention_patches.maps.recorders.recorder import Recorder
from attention_control.attention_patches.methods.style_aligned.method import StyleAligned
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from comfy.model_management import InterruptProcessingException

from .inventory import inventory
from .just import Just
from .specimen import SHALLOW, model
from .test_cross_image import WHOLE, picture, transfer
from .tiny import assert_same_image, spy_calls
from .transfers import SIZE, inverted, pair, prompt, sampled

SHAPE = SHALLOW


def record(inner):
    """The model with a recorder of everything, and its store."""
    store = MapStore()
    every = family_of(inner).layer_map().parse("all")
    return install(inner, Recorder(store=store, cross_layers=every, self_layers=every)), store


def test_guests_leave_no_trace_in_recorded_maps():
    """Where the output sees its own keys, a recorder keeps what it keeps without us: of the output's rows,
    never of the guests'."""
    structure = inverted(SHAPE, 1)
    own = {**WHOLE, "contrast": 1.0, "swap_guidance": 3.0}
    stores = []
    for settings in (own, {**own, "end_percent": 0.0}):
        given = transfer(SHAPE, structure, structure, **settings)
        patched, store = record(given[0])
        sampled((patched, *given[1:]), prompt(SHAPE))
        stores.append(store.read(None))
    with_guests, without = stores
    assert with_guests.images == without.images == 1
    for one, other in zip(with_guests.layers, without.layers, strict=True):
        for kind in ("cross_attention", "self_attention"):
            kept, expected = getattr(one, kind)["positive"], getattr(other, kind)["positive"]
            assert torch.allclose(kept.float(), expected.float(), atol=2e-3)


@pytest.mark.parametrize("size", [SIZE, (9, 7)])
def test_a_recorder_leaves_looks_at_other_pictures_out(size, report):
    """The run ends well whatever the number of keys, and the picture stays the same to the bit."""
    given = transfer(SHAPE, *pair(SHAPE, size=size))
    patched, store = record(given[0])
    out = sampled((patched, *given[1:]), prompt(SHAPE))
    assert torch.equal(out, sampled(given, prompt(SHAPE)))
    maps = store.read(None)
    assert all(x.self_attention["positive"].shape[-1] == x.grid[0] * x.grid[1] for x in maps.layers)
    assert "Left out 10 looks at other pictures." in report("AttentionRecorder")[0][1]


class Weighs:
    """A part of another method, which adds to the logits of each key."""

    order = "edit"

    def wants(self, site):
        return site.kind == "self"

    def __call__(self, site, qkv, attend):
        places = site.image_tokens.stop
        return attend(qkv.add_bias(torch.linspace(0, 0.1, places).expand(1, 1, 1, places)))


@pytest.mark.parametrize("ours_first", [True, False])
def test_a_method_that_weighs_keys_is_respected(ours_first, report):
    """Of the same number of places it goes on, as with the structure in one step of five; of another we step
    aside at that layer and say so."""
    for size, aside in ((SIZE, False), ((9, 7), True)):
        base = model(SHAPE) if ours_first else install(model(SHAPE), Just(parts=(Weighs(),)))
        given = transfer(SHAPE, *pair(SHAPE, size=size), patcher=base)
        patched = install(given[0], Just(parts=(Weighs(),))) if ours_first else given[0]
        out = sampled((patched, *given[1:]), prompt(SHAPE))
        assert out.isfinite().all()
        assert ("Left alone 8 times" in report("CrossImageAttention")[-1][1]) == aside


@pytest.mark.parametrize("ours_first", [True, False])
def test_style_aligned_composes(ours_first):
    """Two structures in one style and one appearance, of another size, in either order of the nodes."""
    structure, appearance = inverted(SHAPE, 1, images=2), inverted(SHAPE, 9, (9, 7))
    aligned = StyleAligned(layers=family_of(model(SHAPE)).layer_map().parse("all"))
    base = model(SHAPE) if ours_first else install(model(SHAPE), aligned)
    given = transfer(SHAPE, structure, appearance, patcher=base)
    patched = install(given[0], aligned) if ours_first else given[0]
    both = sampled((patched, *given[1:]), prompt(SHAPE))
    alone = sampled(transfer(SHAPE, structure, appearance), prompt(SHAPE))
    assert both.isfinite().all()
    assert_same_image(both[:1], alone[:1], tolerance=1e-3)  # the reference is what it is alone
    assert not torch.allclose(both[1:], alone[1:], rtol=0.05)


def test_of_two_in_one_run_the_later_one_swaps(report):
    """Both want the same layers at the same time; the earlier one says that it was left alone."""
    structure, appearance = pair(SHAPE, size=(9, 7))
    earlier = transfer(SHAPE, structure, appearance, swap_guidance=1.0)[0]
    both = transfer(SHAPE, structure, inverted(SHAPE, 3), patcher=earlier, swap_guidance=1.0)
    alone = transfer(SHAPE, structure, inverted(SHAPE, 3), swap_guidance=1.0)
    assert torch.equal(sampled(both, prompt(SHAPE)), sampled(alone, prompt(SHAPE)))
    assert (
        "Left alone 10 times: the keys are another picture's already." in report("CrossImageAttention")[0][1]
    )


def test_a_cancelled_run_leaves_nothing():
    """Stopped inside a pass, the next run of the same outputs is the same picture."""
    given = transfer(SHAPE, *pair(SHAPE, size=(9, 7)))
    before, first = inventory(model(SHAPE)), sampled(given, prompt(SHAPE))
    calls = 0

    def stop(h, options):
        nonlocal calls
        calls += options["block"] == ("output", 0)
        if calls == 7:
            raise InterruptProcessingException
        return h

    cancelled = given[0].clone()
    cancelled.set_model_input_block_patch(stop)
    cancelled.set_model_output_block_patch(lambda h, skip, options: (stop(h, options), skip))
    with pytest.raises(InterruptProcessingException):
        sampled((cancelled, *given[1:]), prompt(SHAPE))
    assert inventory(model(SHAPE)) == before
    assert torch.equal(sampled(given, prompt(SHAPE)), first)


def test_passes_that_do_not_count_are_not_made():
    """A plain step is one call of the model, a swapped one two with the guest's, three with guidance."""
    structure, appearance = pair(SHAPE, size=(9, 7))
    for settings, calls in (({"end_percent": 0.0}, 8), ({"swap_guidance": 1.0}, 16), ({}, 24)):
        given = transfer(SHAPE, structure, appearance, **{**WHOLE, **settings})
        with spy_calls(model(SHAPE)) as made:
            sampled(given, prompt(SHAPE))
        assert len(made) == calls
    assert picture(SHAPE, structure).shape[-2:] == SIZE
