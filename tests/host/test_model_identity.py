"""An inversion knows its model again, and no other."""

import comfy.model_management
import comfy.sd
import pytest
import torch
from attention_control.attention_patches.inversion.inversion import Inversion
from attention_control.nodes.host.walks.model_identity import identity, noise_path, require_model
from comfy_extras.nodes_model_advanced import ModelSamplingDiscrete, ModelSamplingSD3

from .tiny import SHAPES, conditioning, sample, tiny_model
from .tiny.extras import tiny_lora

LAYERS = ("to_q", "to_v")


def inversion_by(model, channels=4):
    """An inversion of nothing, made with this model."""
    states = torch.zeros(3, 1, channels, 8, 8)
    return Inversion("ddim", torch.tensor([2.0, 1.0, 0.0]), states, None, identity(model))


def with_lora(model, strength=0.5, seed=0):
    lora = tiny_lora(model.model.diffusion_model, "diffusion_model.", LAYERS, seed=seed)
    return comfy.sd.load_lora_for_models(model, None, lora, strength, 0.0)[0]


def with_biases(model):
    """A patch on every bias, as merging two models puts it on."""
    clone = model.clone()
    names = [name for name in clone.model_state_dict() if name.endswith(".bias")]
    clone.add_patches({name: (torch.ones(clone.model_state_dict()[name].shape),) for name in names}, 0.5)
    return clone


def use(model):
    """Load the model with what is on it, as sampling does."""
    sample(model, conditioning(model), conditioning(model, seed=1), batch=1, steps=1)


def test_models_know_themselves(shape):
    """The same model, its clones and one loaded anew are one; other weights or another kind are not."""
    model = tiny_model(shape)
    mine = identity(model)
    assert mine == identity(model.clone()) == identity(tiny_model(shape))
    assert mine.changes == ""
    assert len(set(mine.weights)) > 50
    assert not mine.same_base(identity(tiny_model(shape, seed=1)))
    for other in set(SHAPES) - {shape}:
        assert not mine.same_base(identity(tiny_model(other)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float8_e4m3fn])
def test_precision_makes_no_other_model(dtype):
    """Weights stored in fewer bits are the same model's."""
    model, half = tiny_model("sd15"), tiny_model("sd15", dtype=dtype)
    assert identity(model).same_base(identity(half))
    assert identity(model).weights != identity(half).weights


def test_what_is_loaded_on_top_leaves_the_base():
    """With patches on all biases, baked in by a run or not, the base is known; strength and content count."""
    model = tiny_model("sd15")
    plain = identity(model)
    changed = with_biases(model)
    for _ in range(2):
        other = identity(changed)
        assert other.weights == plain.weights
        assert other.changes != ""
        assert identity(model) == plain
        use(changed)
    assert identity(changed).changes == identity(with_biases(tiny_model("sd15"))).changes
    strengths = {identity(with_lora(model, strength)).changes for strength in (0.3, 0.5)}
    assert len({*strengths, identity(with_lora(model, seed=1)).changes, ""}) == 4


def test_inversion_of_another_model_is_refused():
    """Other weights, another architecture, another prediction and other channels are errors that say so."""
    model = tiny_model("sd15")
    inversion = inversion_by(model)
    assert require_model(inversion, model) is None
    with pytest.raises(ValueError, match=r"^inversion: .* another TinySD15 EPS .* other weights.*load"):
        require_model(inversion, tiny_model("sd15", seed=1))
    with pytest.raises(ValueError, match=r"^inversion: .* TinySD15 EPS .*`model` is TinySDXL EPS"):
        require_model(inversion, tiny_model("sdxl"))
    velocity = ModelSamplingDiscrete().patch(model, "v_prediction", False)[0]
    with pytest.raises(ValueError, match=r"`model` is TinySD15 V_PREDICTION"):
        require_model(inversion, velocity)
    with pytest.raises(ValueError, match=r"have 16 channels, and `model` takes 4"):
        require_model(inversion_by(model, channels=16), model)


def test_other_changes_are_a_remark():
    """A LoRA on one side only, or another one, is allowed and said."""
    model = tiny_model("sd15")
    assert "made with nothing loaded" in require_model(inversion_by(model), with_lora(model))
    assert "here it is nothing" in require_model(inversion_by(with_lora(model)), model)
    assert require_model(inversion_by(with_lora(model)), with_lora(tiny_model("sd15"))) is None


def test_what_states_are_is_known():
    """By the model's sampling; models that take no noise are refused."""
    assert noise_path(tiny_model("sd2")) == "variance exploding"
    assert noise_path(ModelSamplingSD3().patch(tiny_model("sd15"), 3.0)[0]) == "rectified flow"
    with pytest.raises(ValueError, match=r"^model predicts as X0; inversion works for"):
        noise_path(ModelSamplingDiscrete().patch(tiny_model("sd15"), "img_to_img", False)[0])
