"""What is different in flow models: the schedule that percent counts, runs without a negative, text."""

import re
from types import SimpleNamespace

import comfy.model_base
import comfy.samplers
import comfy.supported_models
import pytest
import torch
from attention_control.attention_patches.contract.schedule import Schedule
from attention_control.attention_patches.methods.style_aligned.method import StyleAligned
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from comfy_extras.nodes_custom_sampler import BasicGuider, Noise_RandomNoise, SamplerCustomAdvanced

from pack import ROOT

from .just import Just, Witness
from .tiny.transformer_shapes import LLAMA, SIX, TOKENS, TRANSFORMERS
from .tiny.transformers import frames, painted, spoken, transformer

HELP = ROOT / "web" / "docs" / "StyleAlignedBatch.md"
FLUX_SAMPLING = {"Flux", "Chroma", "QwenImage", "Krea2", "Flux2"}
COLUMNS = (
    ("Flux", "Chroma", "QwenImage", "Krea2"),
    ("ZImage", "SD3", "Anima"),
    ("Flux2",),
    ("Lumina2",),
    ("HunyuanImage21",),
    ("WAN21_T2V",),
    ("AuraFlow",),
    ("HiDream", "FluxSchnell"),
)


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


def sampling(name):
    """The host's own, as a checkpoint of this kind gets it."""
    kind = comfy.model_base.ModelType.FLUX if name in FLUX_SAMPLING else comfy.model_base.ModelType.FLOW
    settings = getattr(comfy.supported_models, name).sampling_settings
    return comfy.model_base.model_sampling(SimpleNamespace(sampling_settings=settings), kind)


def test_the_table_in_the_help_is_the_hosts():
    """Each figure, by the sampling of each of the models that a column names."""
    rows = re.findall(r"^\| (0\.\d) \| (.*) \|$", HELP.read_text(), re.MULTILINE)
    assert len(rows) == 5
    for percent, figures in rows:
        for figure, models in zip(figures.split(" | "), COLUMNS, strict=True):
            for name in models:
                sigma = float(sampling(name).percent_to_sigma(float(percent)))
                assert float(figure) == pytest.approx(sigma, abs=0.0055), (percent, name)


@pytest.mark.parametrize("name", ["Flux", "ZImage", "WAN21_T2V"])
def test_percent_is_the_share_of_simple_steps(name):
    """So half the range is half the steps, whatever the shift."""
    of_model = sampling(name)
    schedule = Schedule.of(of_model.percent_to_sigma)
    sigmas = comfy.samplers.calculate_sigmas(of_model, "simple", 20).tolist()
    for step, sigma in enumerate(sigmas):
        assert schedule.percent(sigma) == pytest.approx(step / 20, abs=0.005)


@pytest.mark.parametrize("kind", SIX)
def test_runs_without_a_negative(kind):
    """As few-step models are sampled, with a guider that has none: the reference is what it is alone."""
    model = transformer(kind)
    layers = family_of(model).layer_map().parse("all")
    latent = {"samples": torch.zeros(3, TRANSFORMERS[kind].channels, *frames(kind), 7, 12)}
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", 2)
    euler, found = comfy.samplers.sampler_object("euler"), []
    for patched in (model, install(model, StyleAligned(layers=layers))):
        (guider,) = BasicGuider.execute(patched, spoken(kind, seed=1)).args
        out = SamplerCustomAdvanced.execute(Noise_RandomNoise(7), guider, euler, sigmas, latent)
        found.append(out.args[0]["samples"])
    assert torch.equal(found[0][0], found[1][0])
    assert not torch.allclose(found[0][1:], found[1][1:], rtol=0.01)


@pytest.mark.parametrize(("kind", "tokens"), [("flux2", 512), ("hidream", TOKENS + 2 * LLAMA)])
def test_the_length_of_a_text_is_that_of_the_call(kind, tokens):
    """Flux.2's network is given 512 vectors, whatever the prompt has, and HiDream's two more texts; both are
    known before the host has made them ready."""
    witness, before = Witness(), set()

    class Asking(Just):
        def start(self, batch):
            before.update(text.tokens for text in batch.texts)

    painted(install(transformer(kind), Asking([witness])), kind, batch=1, steps=1)
    texts = [text for site, _, _ in witness.seen for text in site.rows.texts]
    assert {text.tokens for text in texts if text is not None} == before == {tokens}
