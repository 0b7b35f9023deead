"""The last word of a report is the true reason: why maps are fewer, why nothing was touched, what is no
number."""

import re

import comfy.samplers
import node_helpers
import pytest
import torch
from attention_control.nodes.host.run.install import install
from attention_control.nodes.inspect.attention_recorder_node import AttentionRecorder
from comfy_extras.nodes_easycache import EasyCacheNode, LazyCacheNode
from comfy_extras.nodes_model_downscale import PatchModelAddDownscale

from .layout_runs import SHALLOW_WAYS, Way, encoded, noise, run
from .node_calls import call_node
from .other_packs import OwnOptions, cached_after_the_first_block
from .recorded import recorder
from .specimen import SHALLOW, model
from .tiny import conditioning, sample

MASKS, FOUND, GUIDED_MASKS, GUIDED = WAYS = SHALLOW_WAYS
every_way = pytest.mark.parametrize("way", WAYS, ids=str)
MISLEADING = re.compile("check its layers|cut or merged|made no step")


def warnings(report):
    return [line for level, line in report() if level == "WARNING"]


def recorded(clip, on, **how):
    """The store after a run with a recorder."""
    patched, store = call_node(AttentionRecorder, on)
    run(patched, encoded(clip, "a red cat"), encoded(clip, ""), noise(), **how)
    return store


def test_layers_that_another_node_resizes_for_a_while_are_named(clip, report):
    """Deep Shrink in the first half of a run: maps of the layers begin late, and the report says why."""
    on = PatchModelAddDownscale.execute(
        model(SHALLOW), 2, 2.0, 0.0, 0.5, True, "nearest-exact", "nearest-exact"
    )[0]
    assert recorded(clip, on, steps=4).read().layers
    assert any("resizes" in line for line in warnings(report))


def easy_cache(on):
    """It skips whole calls of the model where they would change little."""
    return EasyCacheNode.execute(on, 1e9, 0.0, 1.0, False)[0]


def lazy_cache(on):
    """It skips whole calls of the guider where they would change little."""
    return LazyCacheNode.execute(on, 1e9, 0.0, 1.0, False)[0]


caches = pytest.mark.parametrize("cache", [easy_cache, lazy_cache, cached_after_the_first_block])


@caches
def test_layers_that_a_cache_skips_for_a_while_are_named(clip, report, cache):
    """Maps are means over fewer steps, and the report says so."""
    assert recorded(clip, cache(model(SHALLOW)), steps=6).read().layers
    assert any("skip" in line for _, line in report())


@caches
def test_masks_beside_a_cache_name_it(clip, report, cache):
    """What was not computed was not bounded."""
    patched, own = MASKS(clip, on=cache(model(SHALLOW)))
    run(patched, own, encoded(clip, ""), noise(), steps=6)
    assert any("skip" in line for _, line in report())


def guided_by(guider, patched, positive, negative, sigmas):
    """Latents of a run with this class of guider."""
    with torch.inference_mode():
        own = guider(patched)
        own.set_conds(positive, negative)
        own.set_cfg(4.0)
        start = noise()
        sampler = comfy.samplers.sampler_object("euler")
        return own.sample(start, torch.zeros_like(start), sampler, sigmas, disable_pbar=True, seed=0)


@every_way
def test_a_run_without_steps_is_told_as_that(clip, report, way):
    """One noise level is no step."""
    patched, own = way(clip)
    guided_by(comfy.samplers.CFGGuider, patched, own, encoded(clip, ""), torch.tensor([7.0]))
    assert any("no step" in line for line in warnings(report))
    assert not any("check its layers" in line for line in warnings(report))


@pytest.mark.parametrize("way", [MASKS, FOUND, GUIDED_MASKS, GUIDED], ids=str)
def test_a_pack_that_samples_with_options_of_its_own_is_named(clip, report, way):
    """Masks were laid over nothing. Latents were shifted all the same, but looks at a gradient are no touch
    of a layer."""
    patched, own = way(clip)
    guided_by(OwnOptions, patched, own, encoded(clip, ""), torch.tensor([14.0, 3.0, 0.0]))
    assert not any(re.search(r"\d+ of \d+ layers", line) for _, line in report())
    assert not any(MISLEADING.search(line) for line in warnings(report))
    if way is GUIDED:
        assert any("Guided 2 steps" in line for _, line in report())
    else:
        assert any("options of its own" in line for line in warnings(report))


def test_a_wrapper_that_never_asks_the_guider_is_named(clip, report):
    """A pack that computes each step by itself, round all others."""

    def by_itself(executor, x, timestep, model_options=None, seed=None):
        guider = executor.class_obj
        return OwnOptions.predict_noise(guider, x, timestep, model_options, seed)

    on = model(SHALLOW).clone()
    on.add_wrapper_with_key("predict_noise", "by itself", by_itself)
    patched, own = MASKS(clip, on=on)
    run(patched, own, encoded(clip, ""), noise(), steps=2)
    assert any("options of its own" in line for line in warnings(report))
    assert not any(MISLEADING.search(line) for line in warnings(report))


@pytest.mark.parametrize("way", [GUIDED, GUIDED_MASKS], ids=str)
def test_a_run_behind_the_guided_part_is_told_as_that(clip, report, way):
    """The second of two samplers has no step that guidance is for."""
    patched, own = way(clip, guidance_until=0.3)
    sample(patched, own, encoded(clip, ""), latent=noise(), steps=4, between=(2, 4))
    ((_, line),) = report(way.label)
    assert "No step was guided: the run has none before guidance_until." in line


@pytest.mark.parametrize("way", [GUIDED, GUIDED_MASKS], ids=str)
def test_a_prompt_that_comes_behind_the_guided_part_is_told_as_that(clip, report, way):
    """By a time range of the host's."""
    patched, own = way(clip, guidance_until=0.3)
    later = node_helpers.conditioning_set_values(own, {"start_percent": 0.6, "end_percent": 1.0})
    sooner = node_helpers.conditioning_set_values(encoded(clip, "snow"), {"end_percent": 0.6})
    sample(patched, later + sooner, encoded(clip, ""), latent=noise(), steps=4)
    ((_, line),) = report(way.label)
    assert "No step was guided: before guidance_until the prompt of the boxes was not in use" in line


def not_a_number(on, from_step):
    """A MODEL whose predictions are not a number from a step on."""
    seen = []

    def broken(apply_model, args):
        seen.append(float(args["timestep"][0]))
        out = apply_model(args["input"], args["timestep"], **args["c"])
        steps = len(dict.fromkeys(seen))
        return torch.full_like(out, torch.nan) if steps > from_step else out

    clone = on.clone()
    clone.set_model_unet_function_wrapper(broken)
    return clone


def says_not_a_number(work, report):
    """One sentence of ours: an error, or a warning at the end, and no figures of it."""
    try:
        work()
    except ValueError as error:
        assert "not a number" in str(error)
        assert "sklearn" not in str(error).lower()
        assert len(str(error)) < 400
        return
    assert any("not a number" in line for line in warnings(report))
    assert not any(re.search(r"\bnan\b", line) for _, line in report() if "not a number" not in line)


@pytest.mark.parametrize(("way", "from_step"), list(zip(WAYS, [1, 0, 1, 0], strict=True)), ids=str)
def test_a_model_that_gives_no_numbers_beside_boxes(clip, report, way, from_step):
    """From the first step on, and from a later one on."""
    patched, own = way(clip, on=not_a_number(model(SHALLOW), from_step))
    says_not_a_number(lambda: run(patched, own, encoded(clip, ""), noise(), steps=4), report)


def test_a_model_that_gives_no_numbers_beside_a_recorder(clip, report):
    """Nothing is kept."""
    patched, store = call_node(AttentionRecorder, not_a_number(model(SHALLOW), 1))
    says_not_a_number(
        lambda: run(patched, encoded(clip, "a red cat"), encoded(clip, ""), noise(), steps=3), report
    )
    assert store.maps is None


def test_a_recorder_of_a_prompt_that_is_not_looked_at_says_so(report):
    """At cfg 1 the negative prompt is not computed; no other patch is to blame."""
    patch, _ = recorder(model(SHALLOW), roles=("negative",))
    prompts = conditioning(model(SHALLOW), seed=1), conditioning(model(SHALLOW), seed=2)
    sample(install(model(SHALLOW), patch), *prompts, batch=1, cfg=1.0)
    assert "no call of the model held a prompt that it is for" in report("AttentionRecorder")[-1][1]


def test_a_prompt_of_a_part_of_the_schedule_is_left_out_by_its_name(report):
    """Its rows are not there in all time slices; the layers are."""
    patch, store = recorder(model(SHALLOW), roles=("positive", "negative"))
    ((text, more),) = conditioning(model(SHALLOW), seed=2)
    negative = [[text, {**more, "start_percent": 0.0, "end_percent": 0.5}]]
    sample(install(model(SHALLOW), patch), conditioning(model(SHALLOW), seed=1), negative, batch=1, steps=4)
    said = report("AttentionRecorder")[-1][1]
    assert "Left out the negative prompt: it is in use in some of the time slices only." in said
    assert "another patch" not in said
    assert {role for layer in store.read().layers for role in layer.cross_attention} == {"positive"}


def test_masks_are_refined_from_layers_of_their_own_size(clip):
    """Deep Shrink makes the search's layers smaller for a while: these looks are left out."""
    on = PatchModelAddDownscale.execute(model(SHALLOW), 2, 2.0, 0.0, 0.35, True, "bicubic", "bicubic")[0]
    patched, own = Way("BoundedAttention", {"guidance_until": 0.0})(clip, on=on)
    out = run(patched, own, encoded(clip, ""), noise(latent=(32, 32)), steps=8)
    assert out.isfinite().all()


@pytest.mark.parametrize("way", [GUIDED, GUIDED_MASKS], ids=str)
def test_a_cache_answers_no_gradient(clip, report, way):
    """EasyCache skips calls of the run, and knows nothing of the passes beside it: all steps are guided."""
    for on in (model(SHALLOW), easy_cache(model(SHALLOW))):
        patched, own = way(clip, on=on)
        run(patched, own, encoded(clip, ""), noise(), steps=4)
    plain, cached = (re.search(r"Guided .* looks", line)[0] for _, line in report(way.label))
    assert plain == cached
