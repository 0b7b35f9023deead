"""AttentionProbe against attention taken, in float64, from a forward pass that is set up by hand."""

import node_helpers
import pytest
import torch
from attention_control.attention_patches.maps.recorded import MapStore
from attention_control.attention_patches.maps.recorders.recorder import Recorder
from attention_control.nodes.host.run.install import installed
from attention_control.nodes.host.walks.probe import _recorded, sigma_at
from attention_control.nodes.inspect.attention_probe_node import AttentionProbe
from attention_control.nodes.inspect.attention_recorder_node import AttentionRecorder
from attention_control.nodes.style.style_aligned_batch_node import StyleAlignedBatch
from comfy_api.latest import io
from comfy_extras.nodes_pag import PerturbedAttentionGuidance
from nodes import ControlNetApply

from .probing import LEVEL, SEED, by_hand, image, probe, sigma_by_hand
from .tiny import SHAPES, conditioning, sample, spy_calls, tiny_model
from .tiny.extras import tiny_controlnet
from .tiny.precision import nearly

SCALES = {"sd15": 0.18215, "sd2": 0.18215, "sdxl": 0.13025}


@pytest.mark.parametrize("level", [LEVEL, 0.13])
@pytest.mark.parametrize("shape", SHAPES)
def test_maps_are_those_of_the_noisy_image(shape, level):
    """All layers, cross and self, images that are not square: what the network sees in image plus noise."""
    model, latent = tiny_model(shape), image()
    positive = conditioning(model, seed=1)
    maps = probe(model, latent, positive, noise_level=level)
    noise = torch.randn(2, 4, 6, 10, generator=torch.Generator().manual_seed(SEED))
    hooks = by_hand(model, latent["samples"], positive, sigma_by_hand(level), noise, SCALES[shape])
    assert [layer.layer for layer in maps.layers] == list(maps.model.layers)
    assert (maps.images, maps.latent) == (2, (6, 10))
    for layer in maps.layers:
        for kind, kept in (("cross", layer.cross_attention), ("self", layer.self_attention)):
            (got,) = kept["positive"][:, :, 0]  # one slice, mean over heads
            assert nearly(got.double(), hooks.of(layer.layer, kind), rtol=2e-3, atol=1e-5)


def test_one_look(shape):
    """The model is called once, with the positive prompt only, and the maps carry the noise level."""
    model = tiny_model(shape)
    with spy_calls(model) as calls:
        maps = probe(model, image())
    (call,) = calls
    assert (call.cond_or_uncond, call.shape) == ((0,), (2, 4, 6, 10))
    assert call.sigma == pytest.approx(sigma_by_hand(LEVEL), rel=1e-5)
    (slice_,) = maps.slices
    assert (slice_.start, slice_.end, slice_.time) == (0.0, 1.0, pytest.approx(0.599, abs=2e-3))


@pytest.mark.parametrize("level", [0.0, 0.3, 0.6, 0.97, 1.0])
def test_noise_level_is_the_time_of_the_maps(level):
    """From the image as it is to pure noise the time of the maps is the level asked for."""
    maps = probe(tiny_model("sd15"), image(), noise_level=level)
    assert maps.slices[0].time == pytest.approx(level, abs=2e-3)


def test_noise_levels_stay_in_the_schedule():
    """Both ends are the model's own smallest and largest noise, not zero or the host's infinity."""
    sampling = tiny_model("sd15").get_model_object("model_sampling")
    assert sigma_at(sampling, 0.0) == pytest.approx(float(sampling.sigma_min))
    assert sigma_at(sampling, 1.0) == pytest.approx(float(sampling.sigma_max))
    levels = [sigma_at(sampling, level / 10) for level in range(11)]
    assert levels == sorted(levels)


def equal(maps, other):
    return all(
        torch.equal(layer.cross_attention["positive"], twin.cross_attention["positive"])
        and torch.equal(layer.self_attention["positive"], twin.self_attention["positive"])
        for layer, twin in zip(maps.layers, other.layers, strict=True)
    )


def test_same_seed_same_maps():
    """The seed decides: twice the same gives the same maps to the bit, another seed others."""
    model, latent = tiny_model("sd15"), image()
    maps = probe(model, latent)
    assert equal(maps, probe(model, latent))
    assert not equal(maps, probe(model, latent, seed=SEED + 1))


def test_latent_is_not_changed():
    """The image that comes in stays as it is, and is what the maps are said to be of."""
    latent = image()
    before = latent["samples"].clone()
    maps = probe(tiny_model("sd15"), latent)
    assert torch.equal(latent["samples"], before)
    assert nearly(maps.latents, before, atol=1e-6)


def test_noise_mask_is_ignored():
    """A mask that a sampler would heed changes nothing here."""
    model, latent = tiny_model("sd15"), image()
    masked = {**latent, "noise_mask": torch.zeros(2, 1, 48, 80)}
    assert equal(probe(model, latent), probe(model, masked))


def test_image_of_a_batch_is_the_image_alone():
    """Each image's maps are those it has alone, with the noise of its number."""
    model, latent = tiny_model("sd15"), image(3)
    maps = probe(model, latent)
    alone = probe(model, {"samples": latent["samples"][2:], "batch_index": [2]})
    for layer, single in zip(maps.layers, alone.layers, strict=True):
        one, other = layer.cross_attention["positive"][:, 2:], single.cross_attention["positive"]
        assert nearly(one.float(), other.float(), rtol=2e-3, atol=1e-5)


def align(model):
    node = StyleAlignedBatch.PREPARE_CLASS_CLONE({"hidden_inputs": {io.Hidden.unique_id: "9"}})
    return node.execute(model, "reference", "queries and keys", 0, 0.0, 1.0, "all", 0.0, 1.0).args[0]


def test_other_patches_are_seen():
    """With StyleAligned the second image gives part of its attention to the first, which keeps its own."""
    model, latent = tiny_model("sd15"), image()
    plain, aligned = probe(model, latent), probe(align(model), latent)
    for layer, other in zip(plain.layers, aligned.layers, strict=True):
        own = other.self_attention["positive"].float().sum(-1)
        assert nearly(own[:, 0], torch.ones_like(own[:, 0]), atol=1e-2)
        assert own[:, 1].max() < 0.95
        whole = layer.self_attention["positive"].float().sum(-1)
        assert nearly(whole, torch.ones_like(whole), atol=1e-2)


def test_recorder_on_the_model_keeps_its_own_run():
    """A probe behind a recorder does not put its maps in place of the sampler's, and takes no note of it."""
    model = tiny_model("sd15")
    node = AttentionRecorder.PREPARE_CLASS_CLONE({"hidden_inputs": {io.Hidden.unique_id: "8"}})
    patched, store = node.execute(model, "both", "all").args
    sample(patched, conditioning(model, seed=1), conditioning(model, seed=2), batch=2, height=6, width=10)
    before = store.read()
    maps = probe(patched, image())
    assert store.read() is before
    assert not store.earlier
    assert equal(maps, probe(model, image()))
    assert len(installed(patched)) == 1


def test_reports_of_other_nodes_stay():
    """Only the probe's own node is told about its run; what StyleAligned shows stays that of the sampler."""
    model = align(tiny_model("sd15"))
    observed = _recorded(model, Recorder(store=MapStore()), "7")
    assert [(spec.method.label, spec.node_id) for spec in installed(observed)] == [
        ("StyleAligned", None),
        ("AttentionRecorder", "7"),
    ]
    assert [spec.node_id for spec in installed(model)] == ["9"]


def test_guidance_that_wants_further_passes():
    """A guidance node on the model may call it again; the maps stay those of the prompt."""
    model = tiny_model("sd15")
    guided = PerturbedAttentionGuidance().execute(model, 3.0).args[0]
    assert equal(probe(guided, image()), probe(model, image()))


def test_model_and_conditioning_stay_as_they_are():
    """Nothing is left on the model or in the prompt."""
    model = tiny_model("sd15")
    positive = conditioning(model, seed=1)
    keys, options = set(positive[0][1]), dict(model.model_options)
    probe(model, image(), positive)
    assert set(positive[0][1]) == keys
    assert model.model_options == options
    assert not installed(model)


def test_recorder_choices_hold():
    """What to record, in which layers, by head, with queries and keys."""
    model = tiny_model("sd15")
    maps = probe(model, image(), record="cross", layers="middle")
    (layer,) = maps.layers
    assert str(layer.layer).startswith("middle")
    assert not layer.self_attention
    maps = probe(model, image(), record="self", heads="each", queries_and_keys=True)
    assert not maps.layers[0].cross_attention
    assert maps.layers[0].self_attention["positive"].shape[2] == 8
    assert maps.layers[0].queries["positive"].shape[1:3] == (2, 8)


def test_prompt_of_two_chunks():
    """A longer prompt has a column for each of its tokens."""
    model = tiny_model("sd15")
    maps = probe(model, image(), conditioning(model, seed=1, tokens=154))
    assert {layer.cross_attention["positive"].shape[-1] for layer in maps.layers} == {154}


def test_latent_of_another_model_is_an_error():
    """Sixteen channels do not fit a model of four."""
    with pytest.raises(ValueError, match=r"^latent has the shape \(1, 16, 6, 10\).* 4, .*VAE of this model"):
        probe(tiny_model("sd15"), {"samples": torch.randn(1, 16, 6, 10)})


def test_nothing_recorded_is_an_error():
    """A prompt that is not in use at this level, or layers that are all too large, are errors that say so."""
    model = tiny_model("sd15")
    late = node_helpers.conditioning_set_values(
        conditioning(model, seed=1), {"start_percent": 0.8, "end_percent": 1.0}
    )
    with pytest.raises(ValueError, match=r"^nothing was recorded at noise_level 0\.6: .*`positive`"):
        probe(model, image(), late)
    with pytest.raises(ValueError, match=r"^nothing was recorded at .*`self_max_tokens`"):
        probe(model, image(), record="self", self_max_tokens=1)


def test_every_socket_has_a_tooltip():
    """Inputs and outputs explain themselves."""
    info = AttentionProbe.GET_NODE_INFO_V1()
    inputs = {**info["input"]["required"], **info["input"]["optional"]}
    assert list(inputs)[:4] == ["model", "positive", "noise_level", "seed"]
    assert list(inputs)[-3:] == ["latent", "inversion", "other_inversion"]
    assert all(options["tooltip"] for _, options in inputs.values())
    assert all(info["output_tooltips"])


def test_a_prompt_whose_controlnet_is_for_the_negative_too():
    """There is no negative here, as with BasicGuider, and none that it could be shared with."""
    model = tiny_model("sd15")
    hint, (plain,) = torch.rand(1, 48, 80, 3), (conditioning(model, seed=1),)
    (positive,) = ControlNetApply().apply_controlnet(plain, tiny_controlnet(model), hint, 1.0)
    assert positive[0][1]["control_apply_to_uncond"]
    given = [layer.cross_attention["positive"] for layer in probe(model, image(), positive).layers]
    without = [layer.cross_attention["positive"] for layer in probe(model, image(), plain).layers]
    assert not torch.equal(given[-1], without[-1])
