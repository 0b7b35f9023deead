"""Recorded attention against the same softmax taken, in float64, from what the host's attention was given."""

import pytest
import torch
from attention_control.attention_patches.methods.style_aligned.method import StyleAligned
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from comfy_extras.nodes_pag import PerturbedAttentionGuidance

from .recorded import IMAGES, SIZE, assert_maps, expected, record, recorder, spied
from .specimen import SHALLOW, fresh_model
from .tiny import SHAPES, conditioning, prolonged, sample, split_calls
from .tiny.precision import nearly


@pytest.mark.parametrize("shape", SHAPES)
def test_maps_are_the_probabilities_of_the_attention(shape):
    """Cross and self, all layers, both prompts, a batch, a grid that is not square."""
    roles = ("positive", "negative")
    maps, calls = record(shape, settings={"time_bins": 1, "roles": roles}, steps=3)
    assert [layer.layer for layer in maps.layers] == list(maps.model.layers)
    assert (maps.latent, maps.images) == ((6, 10), IMAGES)
    for source, role in enumerate(roles):
        assert_maps(maps, calls, source, role)


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "heun", "dpmpp_sde"])
def test_a_time_slice_is_the_mean_of_the_calls_in_it(sampler):
    """Slices of the noise schedule; also of samplers that call the model between its steps."""
    maps, calls = record(SHALLOW, settings={"time_bins": 3}, steps=6, sampler=sampler)
    assert [(s.start, s.end) for s in maps.slices] == [(0, 1 / 3), (1 / 3, 2 / 3), (2 / 3, 1)]
    times = [s.time for s in maps.slices]
    assert times == sorted(times, reverse=True)
    timestep = fresh_model(SHALLOW).get_model_object("model_sampling").timestep
    slices: list[set[float]] = [set(), set(), set()]
    for sigma in {call.sigma for call in calls}:
        percent = 1 - float(timestep(torch.tensor(sigma))) / 999
        slices[min(int(3 * percent), 2)].add(sigma)
    assert_maps(maps, calls, slices=slices)


def test_time_slices_without_a_step_are_left_out():
    """Three steps at 0, a half and the end of the schedule, and nine slices."""
    maps, calls = record(SHALLOW, settings={"time_bins": 9}, steps=3)
    assert [(s.start, s.end) for s in maps.slices] == [(0, 1 / 9), (4 / 9, 5 / 9), (8 / 9, 1)]
    sigmas = sorted({call.sigma for call in calls}, reverse=True)
    assert_maps(maps, calls, slices=[{sigma} for sigma in sigmas])


@pytest.mark.parametrize("tokens", [(77, 154), (154, 77), (231, 154), (77, 77 * 5)])
def test_repeated_texts_are_summed_back(tokens):
    """The host repeats a shorter prompt to the length of a longer one; maps have the prompt's own length."""
    positive, negative = tokens
    roles = ("positive", "negative")
    maps, calls = record(SHALLOW, positive, negative, settings={"time_bins": 1, "roles": roles})
    for source, (role, length) in enumerate(zip(roles, tokens, strict=True)):
        assert {x.cross_attention[role].shape[-1] for x in maps.layers} == {length}
        assert_maps(maps, calls, source, role, length)


@pytest.mark.parametrize("order", ["recorder first", "recorder last"])
def test_other_patches_are_seen_wherever_their_nodes_stand(order):
    """With StyleAligned the maps are those of the aligned queries and keys, and what the images look at in
    the reference is missing in the rows."""
    model, calls = spied(fresh_model(SHALLOW))
    patch, store = recorder(model, time_bins=1)
    aligned = StyleAligned(layers=family_of(model).layer_map().parse("all"))
    for each in (patch, aligned) if order == "recorder first" else (aligned, patch):
        model = install(model, each)
    sample(model, conditioning(model, seed=1), conditioning(model, seed=2), **SIZE, steps=1)
    for layer in store.read().layers:
        got = layer.self_attention["positive"][0, :, 0].double()
        place = (layer.layer.block, layer.layer.number, layer.layer.index)
        tokens = got.shape[-1]
        doubled = [c for c in calls if c.place == place and c.k.shape[1] == 2 * tokens]
        wanted = doubled[0].softmax(0)[..., :tokens]  # only image 1 has the reference's keys appended
        assert nearly(got[1], wanted[0], rtol=2e-3, atol=1e-6)
        assert float(got[1].sum(-1).max()) < 0.999 < float(got[0].sum(-1).min())


def test_one_call_or_two_give_the_same_maps():
    """Conditional and unconditional rows together or apart, in either order."""
    base = fresh_model(SHALLOW)
    together, _ = record(base)
    with split_calls(base, rows=IMAGES):
        apart, _ = record(base)
    for one, other in zip(together.layers, apart.layers, strict=True):
        for name in ("cross_attention", "self_attention"):
            a, b = (getattr(x, name)["positive"] for x in (one, other))
            assert nearly(a.float(), b.float(), atol=1e-3)


def test_guidance_passes_and_further_prompts_are_left_out():
    """The perturbed pass of PAG uses the positive prompt again: its maps are not mixed in. Of two positive
    prompts the first is kept."""
    model = fresh_model(SHALLOW)
    positive, negative = conditioning(model, seed=1), conditioning(model, seed=2)
    plain_patch, plain = recorder(model)
    sample(install(model, plain_patch), positive, negative, **SIZE, steps=1)
    guided = PerturbedAttentionGuidance.execute(model, 3.0)[0]
    patch, store = recorder(model)
    sample(install(guided, patch), positive, negative, **SIZE, steps=1)
    two_patch, two = recorder(model)
    both = [*positive, *prolonged(conditioning(model, seed=3), 2)]
    sample(install(model, two_patch), both, negative, **SIZE, steps=1)
    for other in (store, two):
        for a, b in zip(plain.read().layers, other.read().layers, strict=True):
            for name in ("cross_attention", "self_attention"):
                one, two_ = (getattr(x, name)["positive"].float() for x in (a, b))
                assert nearly(one, two_, atol=2e-3)


def test_each_head_and_their_mean():
    """Heads kept one by one have the kept mean as their mean."""
    each, _ = record("sdxl", settings={"each_head": True})
    mean, _ = record("sdxl")
    for a, b in zip(each.layers, mean.layers, strict=True):
        for name in ("cross_attention", "self_attention"):
            heads, one = (getattr(x, name)["positive"].float() for x in (a, b))
            assert heads.shape[2] > 1
            assert nearly(heads.mean(2, keepdim=True), one, atol=1e-3)


def test_queries_and_keys_are_those_of_the_last_call_in_a_slice():
    """Their softmax is the map of that call."""
    maps, calls = record(SHALLOW, settings={"queries_and_keys": True, "time_bins": 1}, steps=3)
    last = min(call.sigma for call in calls)
    for layer in maps.layers:
        q, k = (x["positive"][0].double() for x in (layer.queries, layer.keys))
        got = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1).mean(1)
        assert nearly(got, expected(calls, layer, "self", 0, {last}), atol=2e-3)


def test_tokens_that_another_pack_adds_to_the_text_are_cut_off():
    """Some packs put further tokens behind the prompt's: the run goes on, and the prompt's own are kept."""
    model, calls = spied(fresh_model(SHALLOW))

    def add_tokens(n, context, value, options):
        longer = torch.cat([context, context[:, :5]], dim=1)
        return n, longer, longer

    model.set_model_attn2_patch(add_tokens)
    patch, store = recorder(model, self_layers=frozenset(), time_bins=1)
    sample(install(model, patch), conditioning(model, seed=1), conditioning(model, seed=2), **SIZE, steps=1)
    assert len(store.read().layers) == len(family_of(model).layer_map().layers)
    for layer in store.read().layers:
        place = (layer.layer.block, layer.layer.number, layer.layer.index)
        (call,) = [c for c in calls if c.place == place and c.k.shape[1] == 82]
        kept = layer.cross_attention["positive"][0, :, 0].double()
        assert nearly(kept, call.softmax(0)[..., :77], rtol=2e-3, atol=1e-6)
