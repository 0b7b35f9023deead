"""PlugAndPlay as a user meets it: inputs, errors, the report."""

import comfy.hooks
import pytest
import torch
from attention_control.attention_patches.methods.plug_and_play.method import PLUGGED
from attention_control.nodes.edit.plug_and_play_node import PlugAndPlay
from attention_control.nodes.host.demo_model import load_demo_model
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import installed
from comfy_extras.nodes_model_advanced import ModelSamplingDiscrete, ModelSamplingSD3
from nodes import (
    ConditioningSetArea,
    ConditioningSetMask,
    ConditioningSetTimestepRange,
    ControlNetApplyAdvanced,
)

from .plugging import DEFAULTS, empty, plugged, words
from .specimen import SHALLOW, model
from .tiny.extras import tiny_controlnet
from .transfers import inverted, sampled

SHAPE = SHALLOW


def guide(shape=SHAPE, seed=1, **how):
    return inverted(shape, seed, **{"method": "ddim", **how})


def run(given, cfg=4.0):
    return sampled(given, words(SHAPE, 5), words(SHAPE, 6), cfg=cfg)


def test_inputs_and_defaults_are_the_published_ones():
    """Workflows store inputs by name, so names, order and defaults never change."""
    schema = PlugAndPlay.define_schema()
    assert [x.id for x in schema.inputs] == ["model", "guide", *DEFAULTS, "guide_prompt", "away_from"]
    assert {x.id: x.default for x in schema.inputs if x.id in DEFAULTS} == DEFAULTS
    assert [x.optional for x in schema.inputs] == [False] * 7 + [True] * 2
    assert schema.inputs[1].get_io_type() == "INVERSION,LATENT"
    assert all(x.tooltip for x in (*schema.inputs, *schema.outputs))
    assert [x.io_type for x in schema.outputs] == ["MODEL", "SAMPLER", "SIGMAS", "LATENT"]


def test_the_settings_arrive():
    """On a clone; the model it was given stays plain."""
    how = {"feature_until": 0.7, "attention_until": 0.4, "guide_prompt": empty(SHAPE)}
    given = plugged(SHAPE, guide(), feature_layers="output 3, middle 0.1", attention_layers="2", **how)
    (one,) = installed(given[0])
    method = one.method
    assert installed(model(SHAPE)) == () and one.node_id == "7"
    assert (method.feature_until, method.attention_until, method.layers) == (0.7, 0.4, {2})
    assert method.guide is guide() and method.guide_prompt is how["guide_prompt"]
    assert method.features == {4, 8}  # input 1 and 3; middle 0.0 and 0.1; output 0 to 3
    assert torch.equal(given[2], guide().sigmas)


@pytest.mark.parametrize(
    ("shape", "features", "attention"), [("sd15", 4, (4, 11)), ("sd2", 4, (4, 11)), ("sdxl", 0, (0, 2))]
)
def test_auto_at_real_size(shape, features, attention):
    """SD1.5 and SD2: the paper's; SDXL: Ctrl-X's."""
    real = model(f"{shape}, real")
    (one,) = installed(plugged(shape, inverted(shape, 1, (8, 8), patcher=real), patcher=real)[0])
    family = family_of(real)
    (ordinal,) = one.method.features
    assert str(family.residual_map().layers[ordinal - 1]) == f"output {features}.0"
    numbers = {x.number for x in family.layer_map().layers if x.ordinal in one.method.layers}
    assert (min(numbers), max(numbers)) == attention


def test_auto_on_the_demo_model():
    """The second block of its decoder, and the transformers from there on."""
    family = family_of(load_demo_model().model)
    places = family.presets((16, 16))[PLUGGED]
    assert family.residual_map().named(places.residuals) == "output 1.0"
    numbers = {x.number for x in family.layer_map().layers if x.ordinal in places.layers}
    assert (min(numbers), max(numbers)) == (1, 3)


def test_another_models_inversion_is_refused():
    """The error names the input."""
    with pytest.raises(ValueError, match=r"^guide: inversion: it was made with"):
        plugged(SHAPE, guide("sd2"))


@pytest.mark.parametrize(
    ("name", "many"),
    [("feature_layers", "layers 1-8: input 1.0"), ("attention_layers", "layers 1-4: input")],
)
def test_a_place_the_model_lacks_is_an_error_at_the_node(name, many):
    """The user learns at once which there are, of blocks and of transformers."""
    with pytest.raises(ValueError, match=rf"^{name}: no layer matches 'output 40'.*{many}"):
        plugged(SHAPE, guide(), **{name: "output 40"})


def as_latent(shape=SHAPE, images=1, size=(6, 10)):
    """A picture as VAE Encode gives it."""
    return {"samples": torch.randn(images, 4, *size, generator=torch.Generator().manual_seed(4))}


def test_a_picture_need_not_be_inverted(report):
    """Ctrl-X: noised afresh at each step, from pure noise in 50 steps; the guide matters, and the report says
    what it is."""
    given = plugged(SHAPE, as_latent(), guide_prompt=empty(SHAPE))
    other = plugged(SHAPE, {"samples": -as_latent()["samples"]}, guide_prompt=empty(SHAPE))
    assert (
        len(given[2]) == 51 and not given[3]["samples"].any() and given[3]["samples"].shape == (1, 4, 6, 10)
    )
    noise, short = torch.randn(1, 4, 6, 10, generator=torch.Generator().manual_seed(8)), given[2][::10]
    one, again, third = (
        sampled(
            (outputs[0], outputs[1], short, {"samples": noise}), words(SHAPE, 5), words(SHAPE, 6), cfg=4.0
        )
        for outputs in (given, given, other)
    )
    assert torch.equal(one, again) and not torch.allclose(one, third, rtol=0.05)
    assert "The guide is a picture that was not inverted" in report("PlugAndPlay")[0][1]


@pytest.mark.parametrize("kind", ["noise", "flow"])
def test_a_picture_is_noised_as_the_model_has_it(kind):
    """As the host noises what a run of this model starts from, at each of its levels."""
    patcher = model(SHAPE) if kind == "noise" else ModelSamplingSD3().patch(model(SHAPE), 1.0)[0]
    (one,) = installed(plugged(SHAPE, as_latent(), patcher=patcher)[0])
    (bare,) = installed(plugged(SHAPE, {"samples": torch.zeros(1, 4, 6, 10)}, patcher=patcher)[0])
    guide, sampling = one.method.guide, patcher.get_model_object("model_sampling")
    for percent in (0.01, 0.5, 0.9):
        sigma = float(sampling.percent_to_sigma(percent))
        noise = bare.method.guide.at(sigma) / sigma
        state = sampling.noise_scaling(torch.tensor(sigma), noise, guide.picture)
        assert torch.allclose(guide.at(sigma), state, rtol=1e-5, atol=1e-5)


def test_a_picture_for_a_model_of_unknown_states_is_refused():
    """The error names the input."""
    (to_image,) = ModelSamplingDiscrete().patch(model(SHAPE), "img_to_img", False)
    with pytest.raises(ValueError, match=r"^guide: model predicts as X0"):
        plugged(SHAPE, as_latent(), patcher=to_image)


def test_a_latent_of_another_kind_is_refused():
    """The error names the input."""
    with pytest.raises(ValueError, match=r"^guide: latent has the shape \(1, 16, 6, 10\)"):
        plugged(SHAPE, {"samples": torch.ones(1, 16, 6, 10)})


def test_another_latent_is_refused():
    """A run over another size or number ends with what to connect."""
    given = plugged(SHAPE, guide())
    with pytest.raises(ValueError, match=r"guide has 10 x 6 latent cells .* sample 8 x 9"):
        run((*given[:3], {"samples": torch.zeros(1, 4, 9, 8)}))
    two = plugged(SHAPE, guide(images=2))
    with pytest.raises(ValueError, match=r"guide holds 2 pictures, .* sample 3 images: .*LATENT"):
        run((*two[:3], {"samples": torch.zeros(3, 4, 6, 10)}))


def _twice():
    return empty(SHAPE) + empty(SHAPE), "holds 2 prompts"


def _area():
    return ConditioningSetArea().append(empty(SHAPE), 32, 32, 0, 0, 1.0)[0], "has an area"


def _range():
    return ConditioningSetTimestepRange().set_range(empty(SHAPE), 0.1, 0.5)[0], "has a range of the schedule"


def _mask():
    return ConditioningSetMask().append(empty(SHAPE), torch.ones(1, 48, 80), "default", 1.0)[0], "has a mask"


def _hook():
    (text, more), *_ = empty(SHAPE)
    return [[text, {**more, "hooks": comfy.hooks.HookGroup()}]], r"has hooks \(a LoRA\)"


def _control():
    return ControlNetApplyAdvanced().apply_controlnet(
        empty(SHAPE), [], tiny_controlnet(model(SHAPE)), torch.rand(1, 48, 80, 3), 0.5, 0.0, 1.0
    )[0], "has a ControlNet"


def _rows():
    return words(SHAPE, 3, rows=2), "has 2 rows, and guide 1 pictures"


@pytest.mark.parametrize("prompt", [_twice, _area, _mask, _range, _hook, _control, _rows])
def test_a_guide_prompt_that_is_not_plain_is_refused(prompt):
    """It says what is in it."""
    conditioning, complaint = prompt()
    with pytest.raises(ValueError, match=rf"^guide_prompt {complaint}"):
        plugged(SHAPE, guide(), guide_prompt=conditioning)


def test_the_report_says_what_was_taken(report):
    """Layers, blocks, noise levels, and under which prompt the guide was seen."""
    run(plugged(SHAPE, guide(), guide_prompt=empty(SHAPE)))
    run(plugged(SHAPE, guide(), attention_until=0.0))
    lines = [line for _, line in report("PlugAndPlay")]
    # eight steps at 0.12, 0.25, 0.37, ... of the schedule
    assert lines == [
        "2 of 4 layers, features of 1 block, 6 of 8 noise levels, 1 image. The guide gave features at 6 "
        "noise levels, and queries and keys at 4, seen under a prompt of its own.",
        "no attention layer, features of 1 block, 6 of 8 noise levels, 1 image. The guide gave features at 6 "
        "noise levels, and queries and keys at 0, seen under the prompts of the run.",
    ]


def test_taking_nothing_is_told(report):
    """Off, in one word."""
    run(plugged(SHAPE, guide(), feature_until=0.0, attention_until=0.0))
    assert report("PlugAndPlay")[0][1] == "off."


def test_a_prompt_for_a_part_is_left_alone_under_a_guide_prompt(report):
    """The guide is seen whole, and the report says so; without one, the guide is seen in that part too."""
    positive = ConditioningSetArea().append(words(SHAPE, 5), 32, 48, 0, 0, 1.0)[0] + words(SHAPE, 8)
    for prompt in (empty(SHAPE), None):
        out = sampled(plugged(SHAPE, guide(), guide_prompt=prompt), positive, words(SHAPE, 6), cfg=4.0)
        assert out.isfinite().all()
    lines = [line for _, line in report()]
    aside = [i for i, line in enumerate(lines) if "under guide_prompt the guide is seen whole" in line]
    assert aside == [1] and len(lines) == 3
