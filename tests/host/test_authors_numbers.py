"""What the defaults ask for is what the authors' code counts: steps on their schedulers, layers."""

import re

import comfy.samplers
import pytest
import torch
from attention_control.attention_patches.contract.schedule import PercentRange, Schedule
from attention_control.attention_patches.inversion.inversion import Inversion, ModelIdentity
from attention_control.attention_patches.layout.regions import Layout, Subject
from attention_control.attention_patches.methods.bounded_attention.guidance import EFFORT as BOUNDED
from attention_control.attention_patches.methods.bounded_attention.method import (
    SEARCH_PRESET,
    BoundedAttention,
)
from attention_control.attention_patches.methods.cross_image.method import CrossImage
from attention_control.attention_patches.methods.layout_guidance import EFFORT as LAYOUT
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from attention_control.nodes.style.cross_image_attention_node import CrossImageAttention

from .specimen import SHALLOW, fresh_model
from .specimen import model as model_of
from .tiny import conditioning, sample


def numbers(ordinals):
    """Both attentions of these layers as the authors count them, in order of execution from 0."""
    return sorted(2 * (n - 1) + kind for n in ordinals for kind in (0, 1))


@pytest.mark.parametrize(
    ("shape", "latent", "expected"),
    [
        ("sd15", (64, 64), range(14, 20)),
        ("sd15", (128, 96), range(14, 20)),
        ("sd15", (32, 32), range(20, 26)),  # theirs have 8 x 8 cells there, too few for us
        ("sd2", (64, 64), range(14, 20)),
        ("sdxl", (128, 128), range(70, 82)),
        ("sdxl", (64, 96), range(70, 82)),
        ("sdxl", (32, 32), range(128, 140)),
    ],
)
def test_where_bounded_attention_finds_masks(shape, latent, expected):
    """Six layers on the coarsest grid of at least 16 x 16 in SDXL, and all three that have it in SD1.5."""
    presets = family_of(model_of(f"{shape}, real")).presets(latent)
    assert numbers(presets[SEARCH_PRESET].layers) == list(expected)


@pytest.fixture(scope="module")
def model():
    return fresh_model(SHALLOW)


def levels(model, scheduler, steps):
    return comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), scheduler, steps)


def falling_into(model, sigmas, range_):
    """The numbers of the steps that lie in a range of the schedule."""
    schedule = Schedule.of(model.get_model_object("model_sampling").percent_to_sigma)
    return [i for i, sigma in enumerate(sigmas[:-1].tolist()) if schedule.within(sigma, range_)]


def test_layout_guidance_guides_10_of_51_steps(model):
    """Evenly spaced times with both ends, `index < 10`; the eleventh lies at 0.2, and the end is not
    included."""
    assert falling_into(model, levels(model, "normal", 51), PercentRange(0.0, LAYOUT.until)) == [*range(10)]


@pytest.mark.parametrize("scheduler", ["ddim_uniform", "simple"])
def test_bounded_attention_guides_15_of_50_steps(model, scheduler):
    """DDIM's times, `i < 15`."""
    guided = falling_into(model, levels(model, scheduler, 50), PercentRange(0.0, BOUNDED.until))
    assert guided == [*range(15)]


def test_bounded_attention_finds_masks_anew_at_steps_15_20_to_45_of_50(model, caplog):
    """At each fifth step from the fifteenth on."""
    layers = family_of(model).layer_map().parse("all")
    subjects = Subject("cat", (1,), ((0.0, 0.0, 0.4, 0.8),)), Subject("dog", (3,), ((0.5, 0.2, 0.9, 1.0),))
    method = BoundedAttention(layers=layers, layout=Layout((subjects,), (), (5,)), mask_layers=layers)
    prompts = conditioning(model, seed=1), conditioning(model, seed=2)
    caplog.set_level("INFO")
    sample(install(model, method), *prompts, batch=1, height=4, width=4, steps=50, scheduler="ddim_uniform")
    (told,) = re.findall(r"Masks found anew at ([\d., ]+) of", caplog.text)
    percents = [(18 + 20 * i) / 999 for i in range(15, 50, 5)]
    assert [float(x) for x in told.split(",")] == pytest.approx(percents, abs=0.006)


def test_cross_image_attention_swaps_in_57_of_68_steps(model):
    """The authors' loop over 100 steps of DDIM's times without the first 32: attention goes by a counter that
    is set behind each step, and by their ranges; AdaIN goes by the step."""
    counter, swapped, refreshed, adain = 0, [], [], []
    for step in range(68):
        if 10 <= counter < 90:
            (refreshed if counter % 5 == 0 and counter < 40 else swapped).append(step)
        counter = step
        if 20 <= step < 100:
            adain.append(step)

    default = {x.id: getattr(x, "default", None) for x in CrossImageAttention.define_schema().inputs}
    sigmas = levels(model, "ddim_uniform", 100)
    sampling = model.get_model_object("model_sampling")
    inversion = Inversion("ddim", sigmas, torch.zeros(101, 1, 4, 2, 2), None, ModelIdentity("x", ()))
    first, first_adain = (
        inversion.first_step(float(sampling.percent_to_sigma(default[name])))
        for name in ("begin_percent", "adain_start_percent")
    )
    during = PercentRange(default["start_percent"], default["end_percent"])
    patch = CrossImage(
        structure=inversion, appearance=inversion, layers=frozenset({1}), first=first, during=during
    )
    steps = [i - first for i in falling_into(model, sigmas, during)]
    assert len(steps) == 57 and first == 32
    assert [i for i in steps if patch.refreshes(i)] == refreshed == [11, 16, 21, 26, 31, 36]
    assert [i for i in steps if not patch.refreshes(i)] == swapped
    assert [*range(first_adain - first, 68)] == adain
