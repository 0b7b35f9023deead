"""PlugAndPlay's runs beside other nodes."""

import comfy.sd
import pytest
import torch
from attention_control.attention_patches.maps.recorded import MapStore
from attention_control.attention_patches.maps.recorders.recorder import Recorder
from attention_control.attention_patches.methods.style_aligned.method import StyleAligned
from attention_control.attention_patches.methods.style_aligned.mixture import StyleMixture
from attention_control.attention_patches.methods.style_aligned.style_reference import StyleReference
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from comfy.model_management import InterruptProcessingException
from comfy_extras.nodes_apg import APG
from nodes import ControlNetApplyAdvanced

from .inventory import inventory
from .plugging import authors_way, empty, plugged, words
from .specimen import SHALLOW, model
from .test_cross_image_lora import STRENGTH, changed, lora
from .tiny import assert_same_image, sample
from .tiny.extras import tiny_controlnet
from .transfers import inverted, sampled

SHAPE = SHALLOW


def guide(**how):
    return inverted(SHAPE, 1, **{"method": "ddim", **how})


def run(given, **how):
    return sampled(given, words(SHAPE, 5), words(SHAPE, 6), **{"cfg": 4.0, **how})


def every(patcher):
    return family_of(patcher).layer_map().parse("all")


@pytest.mark.parametrize("ours_first", [True, False])
def test_style_aligned_composes(ours_first):
    """Two rows of one guide in one style, in either order: the reference is what it is without the other."""
    aligned = StyleAligned(layers=every(model(SHAPE)))
    base = model(SHAPE) if ours_first else install(model(SHAPE), aligned)
    given = plugged(SHAPE, guide(), patcher=base, rows=2, guide_prompt=empty(SHAPE))
    patched = install(given[0], aligned) if ours_first else given[0]
    prompts = words(SHAPE, 5, rows=2)
    both = sampled((patched, *given[1:]), prompts, words(SHAPE, 6), cfg=4.0)
    alone = sampled(
        plugged(SHAPE, guide(), rows=2, guide_prompt=empty(SHAPE)), prompts, words(SHAPE, 6), cfg=4.0
    )
    assert both.isfinite().all()
    assert_same_image(both[:1], alone[:1], tolerance=1e-3)
    assert not torch.allclose(both[1:], alone[1:], rtol=0.05)


def test_a_recorder_changes_nothing_and_keeps_the_runs_own_rows():
    """What it keeps is what the run attends to: with the guide's queries and keys, of its own rows alone."""
    store = MapStore()
    given = plugged(SHAPE, guide(), guide_prompt=empty(SHAPE))
    recorded = install(
        given[0], Recorder(store=store, cross_layers=every(model(SHAPE)), self_layers=every(model(SHAPE)))
    )
    assert torch.equal(run((recorded, *given[1:])), run(given))
    assert store.read(None).images == 1


def test_a_lora_is_there_for_the_guide_as_well():
    """Against the authors' way on a model of the changed weights."""
    loaded = comfy.sd.load_lora_for_models(model(SHAPE), None, lora(SHAPE), STRENGTH, 0.0)[0]
    picture = guide(patcher=loaded)
    how = {"feature_until": 0.7, "attention_until": 0.45, "guide_prompt": empty(SHAPE)}
    ours = run(plugged(SHAPE, picture, patcher=loaded, **how))
    expected = authors_way(SHAPE, picture, features=5, attention=3, patcher=changed(SHAPE))
    assert_same_image(ours, expected, tolerance=2e-3)


def test_a_controlnet_leaves_the_guide_alone():
    """It changes the run; the guide's features at the first step are those of a run without."""
    seen = []
    given = plugged(SHAPE, guide(), guide_prompt=empty(SHAPE))
    block = model(SHAPE).model.diffusion_model.output_blocks[1][0]
    handle = block.out_layers[-1].register_forward_hook(
        lambda _m, _i, h: seen.append(h.clone()) if len(h) == 1 else None
    )
    hint = torch.rand(1, 48, 80, 3, generator=torch.Generator().manual_seed(1))
    try:
        outs = [run(given)]
        prompts = ControlNetApplyAdvanced().apply_controlnet(
            words(SHAPE, 5), words(SHAPE, 6), tiny_controlnet(model(SHAPE)), hint, 0.5, 0.0, 1.0
        )
        outs.append(sampled(given, *prompts, cfg=4.0))
    finally:
        handle.remove()
    half = len(seen) // 2
    assert half and all(torch.equal(*pair) for pair in zip(seen[:half], seen[half:], strict=True))
    assert not torch.allclose(*outs, rtol=0.05)


@pytest.mark.parametrize("nothing", ["feature_until", "attention_until"])
def test_of_two_in_one_run_the_earlier_one_counts(nothing):
    """Both take over all rows, of one kind: the node put in first is the inner one, and has the last word."""
    first = plugged(SHAPE, guide(), **{nothing: 0.0})
    second = inverted(SHAPE, 2, method="ddim")
    both = plugged(SHAPE, second, patcher=first[0], **{nothing: 0.0})
    out = run(both)
    assert torch.equal(out, run((first[0], *both[1:])))
    assert not torch.allclose(out, run(plugged(SHAPE, second, **{nothing: 0.0})), rtol=0.05)


def test_a_cancelled_run_leaves_nothing():
    """Stopped inside the guide's pass, the next run of the same outputs is the same picture."""
    given = plugged(SHAPE, guide(), guide_prompt=empty(SHAPE))
    before, first = inventory(model(SHAPE)), run(given)
    calls = 0

    def stop(h, options):
        nonlocal calls
        calls += options["block"] == ("input", 2)
        if calls == 5:
            raise InterruptProcessingException
        return h

    cancelled = given[0].clone()
    cancelled.set_model_input_block_patch(stop)
    with pytest.raises(InterruptProcessingException):
        run((cancelled, *given[1:]))
    assert inventory(model(SHAPE)) == before
    assert torch.equal(run(given), first)


@pytest.mark.parametrize("guide_prompt", [None, empty(SHAPE)], ids=["run's prompts", "own prompt"])
def test_each_image_keeps_its_own_controlnet_hint(guide_prompt):
    """The guide of one picture never asks the ControlNet, which would cut its hints to one."""
    outs = []
    for seed in (2, 3):
        draw = torch.Generator().manual_seed(0)
        hints = torch.rand(3, 48, 80, 3, generator=draw)
        hints[1:] = torch.rand(2, 48, 80, 3, generator=draw.manual_seed(seed))
        given = plugged(SHAPE, guide(), rows=3, guide_prompt=guide_prompt)
        prompts = ControlNetApplyAdvanced().apply_controlnet(
            words(SHAPE, 5), words(SHAPE, 6), tiny_controlnet(model(SHAPE)), hints, 0.5, 0.0, 1.0
        )
        outs.append(sampled(given, *prompts, cfg=4.0))
    one, other = outs
    assert torch.equal(one[0], other[0])
    assert not torch.allclose(one[1:], other[1:], rtol=0.05)


@pytest.mark.parametrize("size", [(6, 10), (9, 7)])
def test_memories_of_the_guider_know_nothing_of_guests(size):
    """APG keeps a running mean of what was expected: of the run alone, so a reference of any size fits."""
    kept = []
    for references in ((), (StyleReference(inverted(SHAPE, 1, size=size)),)):
        on = APG.execute(model(SHAPE), 1.0, 0.0, -0.5)[0]
        calls = on.model_options["sampler_pre_cfg_function"]
        (function,) = calls
        calls.append(lambda args, function=function: kept.append(mean_of(function)) or args["conds_out"])
        mixture = StyleMixture(layers=frozenset({1}), references=references)
        sample(install(on, mixture), words(SHAPE, 5), words(SHAPE, 6), batch=2, height=6, width=10)
    assert kept == [(2, 4, 6, 10)] * 4


def mean_of(function):
    """The shape of what APG's function remembers."""
    inside = dict(zip(function.__code__.co_freevars, function.__closure__, strict=True))
    return tuple(inside["running_avg"].cell_contents.shape)


def test_nothing_is_pushed_away_from_at_cfg_1(report):
    """And that is said."""
    given = plugged(SHAPE, guide(), away_from=words(SHAPE, 9), away_alpha=0.5)
    run(given, cfg=1.0)
    assert "Nothing was pushed away" in report("PlugAndPlay")[-1][1]
    run(given)
    assert "Nothing was pushed away" not in report("PlugAndPlay")[-1][1]
