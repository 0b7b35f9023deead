"""Recorded maps of transformers: the joint softmax, in which layers, within which memory."""

import pytest
import torch
from attention_control.attention_patches.contract.batch import Batch
from attention_control.attention_patches.contract.call.site import Text
from attention_control.attention_patches.maps.recorded import MapStore
from attention_control.attention_patches.maps.recorders.recorder import WORDS, Recorder
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from attention_control.nodes.inspect.attention_map_viewer_node import AttentionMapViewer
from attention_control.nodes.inspect.attention_probe_node import AttentionProbe
from attention_control.nodes.inspect.recording_inputs import AUTO, make_recorder

from .joint_softmax import joint_maps, spied, unloaded
from .node_calls import call_node
from .tiny.precision import nearly
from .tiny.transformer_shapes import FLUX, SIX, Z_IMAGE
from .tiny.transformers import frames, painted, spoken, transformer


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


@pytest.mark.parametrize("kind", SIX)
def test_recorded_maps_are_means_of_the_joint_softmax(kind):
    """Over the steps and the heads, in half precision; the picture stays as it is, to the bit."""
    model, calls, store = transformer(kind), [], MapStore()
    every = family_of(model).layer_map().parse("all")
    recorder = Recorder(store=store, cross_layers=every, self_layers=every, time_bins=1)
    once = {"batch": 1, "cfg": 1.0}
    out = painted(install(spied(model, calls), recorder), kind, **once)
    assert torch.equal(out, painted(model, kind, **once))
    maps = store.read()
    for what, kept in (("cross", "cross_attention"), ("self", "self_attention")):
        found = [joint_maps(kind, what, call, 24) for call in calls if call[0].shape[2] >= 24]
        found = [map_ for map_ in found if map_ is not None]
        assert len(found) == 2 * len(every)
        for layer in maps.layers:
            steps = found[layer.layer.ordinal - 1 :: len(every)]
            expected = torch.stack(steps).mean(0).mean(1)
            assert nearly(getattr(layer, kept)["positive"][0, :, 0], expected, rtol=2e-3, atol=2e-5)


def test_what_is_recorded_by_itself_fits_into_memory():
    """1024 pixels on Flux.1, whose layers all have 4096 tokens: the published layers, one for the picture."""
    real = {**FLUX, "vec_in_dim": 768, "context_in_dim": 4096, "hidden_size": 3072, "mlp_ratio": 4.0}
    real |= {"num_heads": 24, "depth": 19, "depth_single_blocks": 38, "axes_dim": [16, 56, 56]}
    model = unloaded("Flux", real)
    recorder = make_recorder(MapStore(), model, "both", AUTO, 1024, "mean", False, 2048)
    layers = family_of(model).layer_map()
    assert recorder.cross_layers == layers.parse("double 11-12, double 14, double 17-18")
    assert recorder.self_layers == layers.parse("double 18")
    batch = Batch(
        images=1,
        latent=(128, 128),
        layers=layers,
        layer_sizes=family_of(model).layer_sizes((128, 128)),
        presets={},
        conditionings={},
        texts=(Text("positive", 0, 512),),
        tell=print,
    )
    assert recorder.start(batch) is None  # raises where it would be too much
    everything = make_recorder(MapStore(), model, "both", "all", 16384, "mean", False, 2048)
    with pytest.raises(ValueError, match="memory_limit_mb is 2048, but these maps would take"):
        everything.start(batch)


def test_layers_that_no_one_has_published_lie_behind_the_middle():
    """Of 30 blocks of Z-Image the 16th to the 20th."""
    model = unloaded("ZImage", {**Z_IMAGE, "n_layers": 30})
    assert sorted(family_of(model).presets((8, 8))[WORDS].layers) == [16, 17, 18, 19, 20]


@pytest.mark.parametrize("kind", ["flux", "qwen-image"])
def test_probe_and_viewer(kind):
    """One look at a latent at a noise level that is the host's percent, and its words as pictures."""
    latent = {"samples": torch.zeros(1, 16, *frames(kind), 7, 12)}
    (store,) = call_node(AttentionProbe, transformer(kind), spoken(kind), latent)
    maps = store.read()
    assert {layer.grid for layer in maps.layers} == {(4, 6)}
    assert maps.latents.shape == (1, 16, 7, 12)
    pictures, masks = call_node(
        AttentionMapViewer, torch.rand(1, 56, 96, 3), maps=store, words="token 3, token 5"
    )
    assert pictures.shape == (2, 56, 96, 3) and masks.shape == (2, 56, 96)
