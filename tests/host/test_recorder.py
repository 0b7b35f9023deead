"""Recorded attention against the same softmax taken, in float64, from what the host's attention was given."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from attention_control.attention_patches.maps import MapStore
from attention_control.attention_patches.methods.style_aligned import StyleAligned
from attention_control.attention_patches.recorder import MEGABYTE, Recorder
from attention_control.attention_patches.schedule import PercentRange
from attention_control.nodes.host.install import install
from attention_control.nodes.host.unet import layer_map
from comfy_extras.nodes_pag import PerturbedAttentionGuidance

from .tiny import SHAPES, conditioning, prolonged, sample, split_calls, tiny_model

IMAGES = 2
SIZE = {"batch": IMAGES, "height": 6, "width": 10}


@dataclass
class Given:
    """One call of the host's attention."""

    place: tuple[Any, ...]
    sources: list[int]
    sigma: float
    heads: int
    q: torch.Tensor
    k: torch.Tensor

    def softmax(self, source: int) -> torch.Tensor:
        """(images, N, M): head mean in float64 of the rows of one conditioning."""
        rows = self.sources.index(source)
        q, k = (
            x.chunk(len(self.sources))[rows].double().unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for x in (self.q, self.k)
        )
        return (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1).mean(1)


def spied(model):
    """A clone whose every attention call is written down, in the slot that the host offers for that."""
    calls = []

    def spy(func, q, k, v, heads, *rest, **kwargs):
        options = kwargs["transformer_options"]
        place = (*options["block"], options["block_index"])
        sigma = float(options["sigmas"][0])
        calls.append(Given(place, list(options["cond_or_uncond"]), sigma, heads, q.clone(), k.clone()))
        return func(q, k, v, heads, *rest, **kwargs)

    clone = model.clone()
    clone.model_options["transformer_options"]["optimized_attention_override"] = spy
    return clone, calls


def recorder(model, **settings):
    """A recorder of everything, and its store."""
    every = layer_map(model).parse("all")
    store = MapStore()
    return Recorder(**{"store": store, "cross_layers": every, "self_layers": every, **settings}), store


def record(shape_or_model, positive_tokens=77, negative_tokens=77, settings=None, further=(), **how):
    """Maps of one run, and what the attention was given in it."""
    base = tiny_model(shape_or_model) if isinstance(shape_or_model, str) else shape_or_model
    model, calls = spied(base)
    patch, store = recorder(model, **(settings or {}))
    model = install(model, patch)
    for other in further:
        model = install(model, other)
    positive = conditioning(model, seed=1, tokens=positive_tokens)
    negative = conditioning(model, seed=2, tokens=negative_tokens)
    sample(model, positive, negative, **{**SIZE, **how})
    return store.read(), calls


def expected(calls, layer, kind, source, sigmas=None, tokens=77):
    """(images, N, M): the mean over the calls at these noise levels, appended keys and repeats put right."""
    place = (layer.layer.block, layer.layer.number, layer.layer.index)
    number = layer.grid[0] * layer.grid[1]
    softmaxes = []
    for call in calls:
        own = call.k.shape[1] % 77 != 0
        fits = call.place == place and own == (kind == "self") and source in call.sources
        if fits and (sigmas is None or call.sigma in sigmas):
            map_ = call.softmax(source)
            copies = [map_[..., i : i + tokens] for i in range(0, map_.shape[-1], tokens)]
            softmaxes.append(map_[..., :number] if kind == "self" else sum(copies))
    return torch.stack(softmaxes).mean(0)


def assert_maps(maps, calls, source=0, role="positive", tokens=77, slices=None):
    """Every recorded map is what the softmax says, to half precision."""
    assert maps.layers
    for layer in maps.layers:
        for kind, kept in (("cross", layer.cross_attention), ("self", layer.self_attention)):
            for number, sigmas in enumerate(slices or [None]):
                wanted = expected(calls, layer, kind, source, sigmas, tokens)
                got = kept[role][number, :, 0]
                assert got.shape == wanted.shape
                assert torch.allclose(got.double(), wanted, rtol=2e-3, atol=1e-6)


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
    """Also of samplers that call the model more than once a step, and at noise levels between steps."""
    maps, calls = record("sd15", settings={"time_bins": 3}, steps=6, sampler=sampler)
    assert [(s.start, s.end) for s in maps.slices] == [(0, 1 / 3), (1 / 3, 2 / 3), (2 / 3, 1)]
    times = [s.time for s in maps.slices]
    assert times == sorted(times, reverse=True)
    levels = sorted({call.sigma for call in calls}, reverse=True)
    plain, steps_of = spied(tiny_model("sd15"))
    sample(plain, conditioning(plain, seed=1), conditioning(plain, seed=2), **SIZE, steps=6)
    grid = sorted({call.sigma for call in steps_of}, reverse=True)
    slices = [{x for x in levels if x <= grid[2 * i] and (i == 2 or x > grid[2 * i + 2])} for i in range(3)]
    assert_maps(maps, calls, slices=slices)


@pytest.mark.parametrize("tokens", [(77, 154), (154, 77), (231, 154), (77, 77 * 5)])
def test_repeated_texts_are_summed_back(tokens):
    """The host repeats a shorter prompt to the length of a longer one; maps have the prompt's own length."""
    positive, negative = tokens
    roles = ("positive", "negative")
    maps, calls = record("sd15", positive, negative, settings={"time_bins": 1, "roles": roles})
    for source, (role, length) in enumerate(zip(roles, tokens, strict=True)):
        assert {x.cross_attention[role].shape[-1] for x in maps.layers} == {length}
        assert_maps(maps, calls, source, role, length)


@pytest.mark.parametrize("order", ["recorder first", "recorder last"])
def test_other_patches_are_seen_wherever_their_nodes_stand(order):
    """With StyleAligned the maps are those of the aligned queries and keys, and what the images look at in
    the reference is missing in the rows."""
    model, calls = spied(tiny_model("sd15"))
    patch, store = recorder(model, time_bins=1)
    aligned = StyleAligned(layers=layer_map(model).parse("all"))
    for each in (patch, aligned) if order == "recorder first" else (aligned, patch):
        model = install(model, each)
    sample(model, conditioning(model, seed=1), conditioning(model, seed=2), **SIZE, steps=1)
    for layer in store.read().layers:
        got = layer.self_attention["positive"][0, :, 0].double()
        place = (layer.layer.block, layer.layer.number, layer.layer.index)
        tokens = got.shape[-1]
        doubled = [c for c in calls if c.place == place and c.k.shape[1] == 2 * tokens]
        wanted = doubled[0].softmax(0)[..., :tokens]  # only image 1 has the reference's keys appended
        assert torch.allclose(got[1], wanted[0], rtol=2e-3, atol=1e-6)
        assert float(got[1].sum(-1).max()) < 0.999 < float(got[0].sum(-1).min())


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


def test_one_call_or_two_give_the_same_maps():
    """Conditional and unconditional rows together or apart, in either order."""
    base = tiny_model("sd15")
    together, _ = record(base)
    with split_calls(base, rows=IMAGES):
        apart, _ = record(base)
    for one, other in zip(together.layers, apart.layers, strict=True):
        for name in ("cross_attention", "self_attention"):
            a, b = (getattr(x, name)["positive"] for x in (one, other))
            assert torch.allclose(a.float(), b.float(), atol=1e-3)


def test_guidance_passes_and_further_prompts_are_left_out():
    """The perturbed pass of PAG uses the positive prompt again: its maps are not mixed in. Of two positive
    prompts the first is kept."""
    model = tiny_model("sd15")
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
                assert torch.allclose(one, two_, atol=2e-3)


def test_each_head_and_their_mean():
    """Heads kept one by one have the kept mean as their mean."""
    each, _ = record("sdxl", settings={"each_head": True})
    mean, _ = record("sdxl")
    for a, b in zip(each.layers, mean.layers, strict=True):
        for name in ("cross_attention", "self_attention"):
            heads, one = (getattr(x, name)["positive"].float() for x in (a, b))
            assert heads.shape[2] > 1
            assert torch.allclose(heads.mean(2, keepdim=True), one, atol=1e-3)


def test_queries_and_keys_are_those_of_the_last_call_in_a_slice():
    """Their softmax is the map of that call."""
    maps, calls = record("sd15", settings={"queries_and_keys": True, "time_bins": 1}, steps=3)
    last = min(call.sigma for call in calls)
    for layer in maps.layers:
        q, k = (x["positive"][0].double() for x in (layer.queries, layer.keys))
        got = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1).mean(1)
        assert torch.allclose(got, expected(calls, layer, "self", 0, {last}), atol=2e-3)


def test_the_budget_is_kept_and_refused_before_sampling():
    """What is refused is refused before the model is called, with what to lower; the estimate holds."""
    model, calls = spied(tiny_model("sd15"))
    patch, store = recorder(model, memory_limit=MEGABYTE)
    prompts = conditioning(model, seed=1), conditioning(model, seed=2)
    with pytest.raises(
        ValueError, match=r"memory_limit_mb is 1, but these maps would take 2 MB .*time_bins from 8 to \d"
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
    model = tiny_model("sd15")
    patch, store = recorder(model, self_max_tokens=5, cross_layers=frozenset())
    prompts = conditioning(model, seed=1), conditioning(model, seed=2)
    plain = sample(model, *prompts, **SIZE)
    assert torch.equal(sample(install(model, patch), *prompts, **SIZE), plain)
    assert store.maps is None


def test_a_failed_run_leaves_the_maps_of_the_last_good_one():
    """And the next run replaces them."""
    model = tiny_model("sd15")
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
    model = tiny_model("sd15")
    early, first = recorder(model, during=PercentRange(0, 0.5), self_layers=frozenset(), time_bins=2)
    late, second = recorder(model, during=PercentRange(0.5, 1), cross_layers=frozenset(), time_bins=2)
    prompts = conditioning(model, seed=1), conditioning(model, seed=2)
    sample(install(install(model, early), late), *prompts, **SIZE, steps=4)
    assert all(x.cross_attention and not x.self_attention for x in first.read().layers)
    assert all(x.self_attention and not x.cross_attention for x in second.read().layers)
    assert first.read().slices[-1].end <= second.read().slices[0].start + 0.5


def test_tokens_that_another_pack_adds_to_the_text_are_cut_off():
    """Some packs put further tokens behind the prompt's: the run goes on, and the prompt's own are kept."""
    model, calls = spied(tiny_model("sd15"))

    def add_tokens(n, context, value, options):
        longer = torch.cat([context, context[:, :5]], dim=1)
        return n, longer, longer

    model.set_model_attn2_patch(add_tokens)
    patch, store = recorder(model, self_layers=frozenset(), time_bins=1)
    sample(install(model, patch), conditioning(model, seed=1), conditioning(model, seed=2), **SIZE, steps=1)
    assert len(store.read().layers) == len(layer_map(model).layers)
    for layer in store.read().layers:
        place = (layer.layer.block, layer.layer.number, layer.layer.index)
        (call,) = [c for c in calls if c.place == place and c.k.shape[1] == 82]
        kept = layer.cross_attention["positive"][0, :, 0].double()
        assert torch.allclose(kept, call.softmax(0)[..., :77], rtol=2e-3, atol=1e-6)
