"""Nothing but its family knows an architecture: methods, recorder and gradients work on a second one."""

import re

import comfy.model_patcher
import comfy.supported_models
import pytest
import torch
from attention_control.attention_patches.layout.descent import Effort
from attention_control.attention_patches.layout.regions import Layout, Subject
from attention_control.attention_patches.maps.recorded import MapStore
from attention_control.attention_patches.maps.recorders.recorder import Recorder
from attention_control.attention_patches.methods.bounded_attention.method import BoundedAttention
from attention_control.attention_patches.methods.layout_guidance import LayoutGuidance
from attention_control.attention_patches.methods.style_aligned.method import StyleAligned
from attention_control.nodes.host import families
from attention_control.nodes.host.run.install import install
from attention_control.nodes.inputs.model_inputs import model_input

from .tiny import conditioning, sample
from .tiny.precision import nearly
from .toy import HEADS, Toy, toy_model

SIZE = {"height": 5, "width": 7, "batch": 2, "steps": 2}
EVERY = frozenset({1, 2})
LAYOUT = Layout(((Subject("left", (2, 3), ((0.0, 0.0, 0.5, 1.0),)),),), fillers=(1,), ends=(6,))


@pytest.fixture
def toy(monkeypatch):
    """A model of the second family."""
    monkeypatch.setattr(families, "FAMILIES", (*families.FAMILIES, Toy))
    return toy_model()


def run(model, **how):
    prompts = conditioning(model, seed=1), conditioning(model, seed=2)
    return sample(model, *prompts, **{**SIZE, **how})


def test_layers_are_named_as_the_family_has_them(toy):
    """And an unknown one is told so."""
    layers = families.family_of(toy).layer_map()
    assert layers.parse("block 1") == {2}
    with pytest.raises(ValueError, match=r"toy\) has layers 1-2: block 0-1"):
        layers.parse("output")


@pytest.mark.parametrize("family", families.FAMILIES[1:], ids=lambda family: family.name)
def test_the_models_of_a_family_are_named_where_one_is_connected(family):
    """Without their versions."""
    for models in family.models.split(" (")[0].split(", "):
        for model in models.split(" and "):
            name = re.match(r"[A-Za-z]+(-[A-Z][a-z]+)?", model)[0]
            assert name in model_input().tooltip


def test_without_its_family_it_is_refused():
    """By its name, with what works."""
    with pytest.raises(ValueError, match="model: this is ToyNetwork, and attention control works on U-Nets"):
        families.family_of(toy_model())


TINY_UNET = {
    "image_size": 32,
    "in_channels": 8,
    "out_channels": 4,
    "model_channels": 64,
    "num_res_blocks": [1],
    "channel_mult": [1],
    "transformer_depth": [1],
    "transformer_depth_output": [1, 1],
    "transformer_depth_middle": 1,
    "use_spatial_transformer": True,
    "context_dim": 8,
    "adm_in_channels": 768,
    "num_classes": "sequential",
    "use_temporal_attention": True,
    "use_temporal_resblock": True,
    "legacy": False,
    "video_kernel_size": [3, 1, 1],
    "extra_ff_mix_layer": True,
    "merge_strategy": "learned_with_images",
    "merge_factor": 0.0,
}


@pytest.mark.parametrize(
    ("config", "network", "called"),
    [
        ("Stable_Cascade_C", {"stable_cascade_stage": "c"}, "Stable Cascade C"),
        ("SVD_img2vid", TINY_UNET, "SVD img2vid"),
    ],
)
def test_other_models_of_the_host_are_refused_by_their_names(config, network, called):
    """Not by the class of the network, which nobody knows."""
    settings = getattr(comfy.supported_models, config)(network)
    settings.set_inference_dtype(torch.float32, None)
    other = settings.get_model({}, device=torch.device("meta"))
    patcher = comfy.model_patcher.ModelPatcher(other, torch.device("cpu"), torch.device("cpu"))
    with pytest.raises(ValueError, match=rf"^model: this is {called}, and attention control works on U-Nets"):
        families.family_of(patcher)


def test_who_has_no_joint_attention_is_refused_for_none():
    """A reason that is not the family's own would send people astray."""
    apart = [family for family in families.FAMILIES if not family.joint]
    assert families.WanFamily in apart
    said = [why for family in apart for why in family.reasons.values()]
    assert said and not any("one softmax" in why for why in said)


def test_recorded_attention_is_the_softmax_of_its_queries_and_keys(toy):
    """The picture stays as it is, to the bit."""
    store, seen = MapStore(), []
    recorder = Recorder(store=store, cross_layers=EVERY, self_layers=EVERY, time_bins=1)

    def spy(func, q, k, v, heads, *rest, **named):
        seen.append((q, k))
        return func(q, k, v, heads, *rest, **named)

    spied = toy.clone()
    spied.model_options["transformer_options"]["optimized_attention_override"] = spy
    assert torch.equal(run(install(spied, recorder)), run(toy))
    kept = store.read().layers[1].self_attention["positive"][0, :, 0]
    calls = [qk for qk in seen if qk[0].shape[1] == qk[1].shape[1] == 35][1::2]  # of the second block
    maps = []
    for q, k in calls[:2]:
        q, k = (x[2:].double().unflatten(-1, (HEADS, -1)).transpose(1, 2) for x in (q, k))  # positive: behind
        maps.append((q @ k.transpose(-1, -2) / 8**0.5).softmax(-1).mean(1))
    assert nearly(kept.double(), torch.stack(maps).mean(0), rtol=2e-3, atol=1e-5)


def test_style_aligned_keeps_the_reference(toy):
    """To the bit, and changes the other image."""
    plain, aligned = run(toy), run(install(toy, StyleAligned(layers=EVERY)))
    assert torch.equal(aligned[0], plain[0])
    assert not torch.allclose(aligned[1], plain[1], rtol=0.01)


def test_masks(toy):
    """They change the picture, with no layers named but those to bound."""
    bounded = install(toy, BoundedAttention(layers=EVERY, layout=LAYOUT, refine_from=1.0))
    assert not torch.allclose(run(bounded), run(toy), rtol=0.01)


def test_gradients(toy, report):
    """Guidance brings its loss down in one step, without checkpoints of the family's own."""
    effort = Effort(1.0, iterations=4, target=0.0)
    guided = LayoutGuidance(layout=LAYOUT, layers=EVERY, effort=effort, loss_scale=5.0)
    run(install(toy, guided), steps=1)
    numbers = re.search(r"loss (.*), (.*) -> (.*), (.*?)\. ", report("LayoutGuidance")[-1][1]).groups()
    first, second, *after = map(float, numbers)
    assert after[0] < first and after[1] < second


def test_a_method_without_layers_of_its_own_says_so(toy):
    """Before the model is loaded."""
    with pytest.raises(ValueError, match="Layout Guidance has no layers of its own for toy models"):
        run(install(toy, LayoutGuidance(layout=LAYOUT)))
