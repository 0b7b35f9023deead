"""ShapeVariations beside what users put on a model: the original stays what it is without the variations."""

import pytest
import torch
from attention_control.attention_patches.maps.recorded import MapStore
from attention_control.attention_patches.maps.recorders.recorder import Recorder
from attention_control.attention_patches.methods.style_aligned.method import StyleAligned
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install, installed

from .companions import COMPANIONS
from .one_noise_runs import run
from .specimen import SHALLOW, model
from .test_shape_variations_node import vary
from .tiny import assert_same_image, conditioning, sample, split_calls

HOW = {"shape_from": 0.1, "shape_until": 0.7, "keep_objects": "stairs", "keep_background": False}
NAMES = ("LoRA hook on the positive prompt", "ControlNet", "area")  # others: test_coexistence.py
BESIDE = [companion for companion in COMPANIONS if companion.name in NAMES]


def beside(companion, patched, outputs):
    """Latents of a run with the companion on the model and on the prompts."""
    _, positive, latent, *_ = outputs
    prompts = companion.on_prompts(model(SHALLOW), (positive, conditioning(model(SHALLOW), seed=2)))
    how = {"images": latent["batch_index"], "latent": latent["samples"], "steps": 3, **companion.how}
    return sample(companion.on_model(patched), *prompts, **how)


def few(outputs):
    """Latents of all images after three steps."""
    return run(outputs, steps=3)


@pytest.fixture(scope="module")
def varied(clip):
    """Three proxies, of which the last is the object's own word."""
    return vary(clip, **HOW)


@pytest.mark.parametrize("companion", BESIDE, ids=lambda companion: companion.name)
def test_the_original_is_what_it_is_beside_a_companion(varied, companion):
    """To the bit, and so is a variation by the object's own word; the others are varied."""
    out, alone = (beside(companion, patched, varied) for patched in (varied[0], model(SHALLOW)))
    assert torch.equal(out[0], alone[0])
    assert torch.equal(out[3], out[0])
    for image in (1, 2):
        assert not torch.allclose(out[image], alone[image], rtol=0.01)


def test_one_call_or_two(varied):
    """A negative that comes by itself is not taken for the prompt."""
    together = few(varied)
    with split_calls(model(SHALLOW), rows=4):
        assert_same_image(few(varied), together)


def test_beside_style_aligned_in_either_order(varied):
    """The original is the reference and stays plain; both act, and its own word gives the original."""
    aligned = StyleAligned(layers=family_of(model(SHALLOW)).layer_map().parse("all"))
    plain, alone = few((model(SHALLOW), *varied[1:])), few(varied)
    (own,) = installed(varied[0])
    for both in (install(varied[0], aligned), install(install(model(SHALLOW), aligned), own.method)):
        out = few((both, *varied[1:]))
        assert torch.equal(out[0], plain[0])
        assert_same_image(out[3:], out[:1])
        for image in (1, 2):
            assert not torch.allclose(out[image], alone[image], rtol=0.01)


def test_a_recorder_changes_nothing_and_keeps_maps_of_all_images(varied):
    """Its pictures are the same to the bit; there are maps of every image."""
    store, every = MapStore(), family_of(model(SHALLOW)).layer_map().parse("all")
    recorder = Recorder(store=store, cross_layers=every, self_layers=every)
    assert torch.equal(few((install(varied[0], recorder), *varied[1:])), few(varied))
    assert store.read(None).images == 4
