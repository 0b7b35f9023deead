"""A model that gives NaN ("not a number"): one sentence of ours, as early as it can be known."""

import re

import pytest
import torch
from attention_control.attention_patches.maps.recorded import MapStore
from attention_control.nodes.inspect.attention_recorder_node import AttentionRecorder
from attention_control.nodes.style.cross_image_attention_node import CrossImageAttention

from . import guidance_methods
from .inverting import invert, picture, prompts
from .methods import OTHER_WAYS
from .node_calls import call_node
from .probing import image, probe
from .specimen import SHALLOW, fresh_model, model
from .tiny import conditioning, sample, tiny_clip

SAID = re.compile(r"not a number|no numbers")
SIZE = {"batch": 3, "height": 6, "width": 10, "steps": 4}


SPOILT = [
    pytest.param(method, after, id=f"{method.name}-{after}")
    for number, method in enumerate((*OTHER_WAYS, *guidance_methods.METHODS))
    for after in ((0, 2) if method.remembers else (0, 2)[number % 2 :][:1])
]


def spoilt(base, after=0):
    """A clone whose answers are NaN from its call number `after` on, and a list that grows with its calls."""
    calls = []

    def answer(apply, given):
        calls.append(len(calls))
        out = apply(given["input"], given["timestep"], **given["c"])
        return out * torch.nan if len(calls) > after else out

    clone = base.clone()
    clone.set_model_unet_function_wrapper(answer)
    return clone, calls


@pytest.fixture
def blind():
    """A model whose self-attention is NaN, though its answers are numbers."""
    base = fresh_model(SHALLOW)
    base.set_model_attn1_patch(lambda q, k, v, extra_options: (q * torch.nan, k, v))
    base.set_model_unet_function_wrapper(
        lambda apply, given: apply(given["input"], given["timestep"], **given["c"]).nan_to_num(0.0)
    )
    return base


@pytest.mark.parametrize(("specimen", "after"), SPOILT)
def test_a_run_of_every_method(specimen, after, report):
    """It ends with a report of one sentence about it, or before that with the sentence as an error."""
    broken, calls = spoilt(model(SHALLOW), after)
    positive, negative = conditioning(broken, seed=1), conditioning(broken, seed=2)
    try:
        sample(specimen.on(broken), positive, negative, **SIZE)
        told = report()[0][1]
    except ValueError as error:
        told = str(error)
        assert len(calls) < 2 * SIZE["steps"]
    assert len(SAID.findall(told)) == 1 and "nan " not in told.lower()


def test_maps_of_such_a_run(report):
    """The recorder keeps nothing, and says why where the maps are used."""
    broken, _ = spoilt(model(SHALLOW))
    patched, store = call_node(AttentionRecorder, broken)[:2]
    sample(patched, conditioning(broken, seed=1), conditioning(broken, seed=2), **SIZE)
    assert store.maps is None and len(SAID.findall(report()[0][1])) == 1


def test_maps_that_are_no_numbers(blind):
    """The picture may look as it will: what is not a number is not kept, and whoever wants it hears why."""
    patched, store = call_node(AttentionRecorder, blind)[:2]
    sample(patched, conditioning(blind, seed=1), conditioning(blind, seed=2), **SIZE)
    with pytest.raises(ValueError, match=r"^maps: nothing was kept of the last run: .* not a number"):
        store.read()
    with pytest.raises(ValueError, match=r"^model: .* not a number"):
        probe(blind, image())


@pytest.mark.parametrize("method", guidance_methods.METHODS, ids=lambda method: method.name)
def test_a_gradient_that_is_none_at_any_scale(method):
    """It is tried at smaller and smaller ones, and given up with a sentence."""
    steep, tries = fresh_model(SHALLOW), []

    def root_of_nothing(n, context, value, extra_options):  # its slope has no end
        if torch.is_grad_enabled():
            tries.append(extra_options["block"])
        return n + (0 * n).abs().sqrt(), context, value

    steep.set_model_attn2_patch(root_of_nothing)
    positive, negative = conditioning(steep, seed=1), conditioning(steep, seed=2)
    with pytest.raises(ValueError, match=r"^model: .* overflows .*Load .* guidance_until to 0"):
        sample(method.on(steep), positive, negative, **SIZE)
    assert tries.count(tries[0]) >= 8


def test_an_earlier_run_can_still_be_read(blind):
    """By its pictures, if they come from the cache; without pictures the last run is meant."""
    store = MapStore()
    patched, store = call_node(AttentionRecorder, model(SHALLOW))[:2]
    sample(patched, conditioning(blind, seed=1), conditioning(blind, seed=2), **SIZE)
    kept = store.read()
    store.refuse("the attention is not a number (NaN)")
    assert store.read(torch.rand(3, 6, 10, 3)) is kept
    with pytest.raises(ValueError, match=r"^maps: nothing was kept of the last run"):
        store.read()
    store.add(kept, 100.0)
    assert store.read() is kept


def test_a_subject_that_cannot_be_found(blind):
    """Masks by self-segmentation: not as if layers were too large."""
    pair = [invert(model(SHALLOW), latent=picture(1, seed=seed))[0] for seed in (1, 2)]
    with pytest.raises(ValueError, match=r"^model: .* not a number"):
        call_node(CrossImageAttention, blind, *pair, subject="cat", clip=tiny_clip("sd15"))


@pytest.mark.parametrize("method", ["ddim", "edit friendly ddpm"])
@pytest.mark.parametrize("after", [0, 2])
def test_an_inversion_stops_at_once(method, after):
    """At the first answer that is not a number; the error says what to do."""
    broken, calls = spoilt(model(SHALLOW), after)
    with pytest.raises(ValueError, match=r"^model: .* not a number .*sigma.*--force-upcast-attention"):
        invert(broken, method=method)
    assert len(calls) == after + 1


def test_a_walk_back_stops_at_once():
    """A reconstruction, and the run of a Cross-Image Attention."""
    from .inverting import reconstruct

    inversion = invert(model(SHALLOW))[0]
    broken, calls = spoilt(model(SHALLOW), 1)
    with pytest.raises(ValueError, match=r"^model: .* not a number"):
        reconstruct(broken, inversion, texts=prompts(broken))
    assert len(calls) == 2
