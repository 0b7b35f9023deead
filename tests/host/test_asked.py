"""The model asked what a picture shows: its errors by the host's own Euler, and diagnoses of a true scene."""

from dataclasses import replace
from functools import cache

import comfy.model_management
import comfy.sample
import comfy.samplers
import numpy as np
import pytest
import torch
from attention_control.attention_patches.maps.recorded import MapStore
from attention_control.nodes.demo.load_demo_model_node import LoadDemoModel
from attention_control.nodes.host.run.install import installed
from attention_control.nodes.host.walks.asked import LEVELS, errors_under
from attention_control.nodes.host.walks.probe import sigma_at
from attention_control.nodes.inspect.attention_probe_node import AttentionProbe
from attention_control.nodes.inspect.attention_recorder_node import AttentionRecorder
from attention_control.nodes.inspect.prompt_diagnosis_node import PromptDiagnosis
from comfy_extras.nodes_easycache import EasyCacheNode
from PIL import Image

from pack import ROOT

from .node_calls import call_node
from .tiny import spy_calls, tiny_clip, tiny_model
from .tiny.transformers import transformer

TEXTS = ("a red cat and a blue dog", "a red cat", "")
SEED = 5


def asked_model(kind):
    return transformer("flux") if kind == "flux" else tiny_model(kind)


def pictures(model, images=2):
    """As a LATENT of the model holds them, of an odd size."""
    channels = model.get_model_object("latent_format").latent_channels
    return torch.randn(images, channels, 8, 14, generator=torch.Generator().manual_seed(1))


@cache
def encoder(kind):
    return tiny_clip(kind)


def errors(model, kind, texts=TEXTS, latents=None):
    with torch.inference_mode():
        given = pictures(model) if latents is None else latents
        return errors_under(model, encoder(kind), texts, given, SEED)


@pytest.mark.parametrize("kind", ["sd15", "sd2", "sdxl", "flux"])
def test_errors_are_those_of_the_hosts_own_steps(kind):
    """One step of Euler from each noise level to none ends in what is expected there; the noise's share is
    sigma of a flow, and of others sigma to its part of the state's deviation."""
    model, clip = asked_model(kind), encoder(kind)
    form, sampling = model.get_model_object("latent_format"), model.get_model_object("model_sampling")
    latents = pictures(model)
    expected = torch.zeros(len(TEXTS), 2, 8, 14, dtype=torch.float64)
    with torch.inference_mode():
        for row, text in enumerate(TEXTS):
            positive = clip.encode_from_tokens_scheduled(clip.tokenize(text))
            for number, level in enumerate(LEVELS):
                sigma = sigma_at(sampling, level)
                ended = comfy.sample.sample_custom(
                    model, comfy.sample.prepare_noise(latents, SEED + number), 1.0,
                    comfy.samplers.KSAMPLER(comfy.samplers.k_diffusion_sampling.sample_euler),
                    torch.tensor([sigma, 0.0]), positive, [], latents,
                )  # fmt: skip
                kept = 1 - sigma if kind == "flux" else 1.0
                off = (form.process_in(ended.cpu()) - form.process_in(latents)).double().square().sum(1)
                expected[row] += off * (sigma**2 + kept**2) / sigma**2
    got = errors(model, kind)
    assert got.shape == expected.shape and torch.allclose(got.double(), expected, rtol=2e-3)
    assert not torch.allclose(got[0], got[1], rtol=1e-3)


def test_the_model_alone_is_asked():
    """A recorder on it keeps the maps of its own run, a cache answers nothing, and both stay on it; a text
    that stands twice is asked once."""
    model = tiny_model("sd15")
    dressed, store = call_node(AttentionRecorder, model, layers="all")
    dressed = EasyCacheNode.execute(dressed, 10.0, 0.0, 1.0, False).args[0]
    with spy_calls(model) as calls:
        twice = errors(dressed, "sd15", (*TEXTS, TEXTS[0]))
        assert torch.equal(twice, errors(model, "sd15")[[0, 1, 2, 0]])
    assert len(calls) == 2 * len(TEXTS) * len(LEVELS)
    assert store.maps is None and len(installed(dressed)) == 1


def test_another_models_picture_is_named():
    """Its channels tell."""
    with pytest.raises(ValueError, match=r"^model: it is not the one of the recorded run"):
        errors(tiny_model("sd15"), "sd15", latents=torch.ones(1, 16, 8, 8))


def test_what_is_not_a_number_is_refused():
    """As where half precision is not enough: nothing is told of it."""
    model = tiny_model("sd15").clone()
    model.set_model_sampler_post_cfg_function(lambda args: args["denoised"] * float("nan"))
    with pytest.raises(ValueError, match=r"^model: it cannot be asked, as what it gives is not a number"):
        errors(model, "sd15")


def test_all_texts_are_read_before_the_model_is_loaded(monkeypatch):
    """Where a card holds one of the two, they change places once."""
    loaded, load = [], comfy.model_management.load_models_gpu
    text = encoder("sd15").patcher

    def spied(models, *args, **named):
        loaded.append("text" if text in models else "model")
        return load(models, *args, **named)

    monkeypatch.setattr(comfy.model_management, "load_models_gpu", spied)
    errors(tiny_model("sd15"), "sd15")
    assert loaded == ["text"] * len(TEXTS) + ["model"] * len(TEXTS)


@cache
def scene():
    """The demo model, and the latent of a drawn red cat and blue dog on the beach."""
    drawing = np.asarray(Image.open(ROOT / "example_workflows" / "inputs" / "example.png").convert("RGB"))
    image = torch.from_numpy(drawing.astype(np.float32) / 255)[None]
    with torch.inference_mode():
        model, clip, vae = LoadDemoModel.execute().args
        return model, clip, image, {"samples": vae.encode(image)}


def probed(prompt):
    model, clip, _, latent = scene()
    with torch.inference_mode():
        positive = clip.encode_from_tokens_scheduled(clip.tokenize(prompt))
        return call_node(AttentionProbe, model, positive, latent, noise_level=0.15)[0]


def told(prompt, store=None, **settings):
    """The lines of the report on the scene under a prompt, by what they are about."""
    model, clip, image, _ = scene()
    given = {"words": "", "sharpen": False, "model": model, **settings}
    with torch.inference_mode():
        report = call_node(PromptDiagnosis, store or probed(prompt), image, clip, prompt, **given)[0]
    how, _, lines = report.partition("\n\n")
    assert how.startswith("The model was asked with")
    return {"how": how, **dict(line.split(":", 1) for line in lines.splitlines())}


def test_a_true_prompt_is_found_true():
    """Each thing is there, with its colour."""
    lines = told("a red cat and a blue dog on the beach")
    assert all(" present" in lines[thing] for thing in ("red cat", "blue dog"))
    assert "bound to cat" in lines["red"] and "bound to dog" in lines["blue"]
    assert "(gain 0." in lines["red cat"] and "its answers decide" in lines["how"]
    assert "10 texts at 8 noise levels" in lines["how"]


def test_exchanged_colours_and_a_missing_thing_are_found():
    """The scene is another one than the prompt says; nothing is to be done about it. What the prompt leaves
    out is not taken for what it names instead."""
    lines = told("a blue cat and a red dog")
    assert "bound to dog" in lines["blue (of cat)"] and "bound to cat" in lines["red (of dog)"]
    assert " present" in lines["blue cat"] and " present" in lines["red dog"]
    assert "Try" not in "".join(lines.values())
    for seed in range(2):
        lines = told("a cat and a car", seed=seed)
        assert " present" in lines["cat"] and " present" not in lines["car"]


def test_where_the_bound_lies_is_the_users():
    """Of a hundredth everything that is named helps somewhere."""
    lines = told("a cat and a car", least_gain=0.01)
    assert " present" in lines["car"]


def test_only_of_a_probed_picture_the_answers_decide():
    """Of a run's own pictures, and of maps from a file, which may be of any, attention is told as well."""
    prompt = "a cat and a dog"
    maps = probed(prompt).maps
    for store, given in (
        (MapStore(maps), True),
        (MapStore(maps, of_a_sampler=True), False),
        (MapStore(replace(maps, prompts={})), False),
    ):
        lines = told(prompt, store)
        assert ("of what all nouns get there" in lines["cat"]) == (not given)
        assert ("its answers decide" in lines["how"]) == given and "(gain 0." in lines["cat"]


def test_another_model_than_that_of_the_maps_is_named():
    """By its layers."""
    prompt = "a cat and a dog"
    with pytest.raises(ValueError, match=r"^model: the maps are of another one \(.* of 7 layers\)"):
        told(prompt, probed(prompt), model=tiny_model("sd15"))


def test_maps_without_latents_cannot_be_asked_about():
    """As files of other programs may be."""
    store = probed("a red cat and a blue dog")
    bare = MapStore(replace(store.maps, latents=None))
    with pytest.raises(ValueError, match=r"^model: these maps were saved without the latents"):
        told("a red cat and a blue dog", bare)
