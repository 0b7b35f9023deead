"""InvertLatent and ReconstructLatent as a user meets them: report, errors, progress, cancelling, masks."""

import comfy.samplers
import comfy.sd
import comfy.utils
import pytest
import torch
from attention_control.nodes.host.walks.inversion_samplers import Replay
from attention_control.nodes.inversion.invert_latent_node import InvertLatent
from attention_control.nodes.inversion.reconstruct_latent_node import ReconstructLatent
from comfy.model_management import InterruptProcessingException
from comfy_extras.nodes_custom_sampler import FlipSigmas, SamplerCustom, SplitSigmas
from comfy_extras.nodes_model_advanced import ModelSamplingDiscrete

from .inventory import inventory
from .inverting import METHODS, STEPS, invert, picture, prompts, reconstruct, with_lora
from .specimen import SHALLOW, fresh_model
from .tiny import conditioning, sample, spy_calls, tiny_model


def test_report_says_what_differs():
    """CFG, prompts and LoRA that are not those of the inversion are named."""
    model = fresh_model(SHALLOW)
    inversion = invert(model)[0]
    assert reconstruct(model, inversion)[1].endswith("exactly, but for rounding.")
    assert "cfg is 3: set it to that of the inversion, 1." in reconstruct(model, inversion, cfg=3.0)[1]
    other = conditioning(model, seed=8), conditioning(model, seed=2)
    assert "The prompts are not those of the inversion." in reconstruct(model, inversion, texts=other)[1]
    unused = conditioning(model, seed=1), conditioning(model, seed=8)
    assert "prompts" not in reconstruct(model, inversion, texts=unused)[1]
    assert "made with nothing loaded on the model" in reconstruct(with_lora(model), inversion)[1]
    with pytest.raises(ValueError, match=r"^inversion: it was made with another"):
        reconstruct(tiny_model("sd15", seed=1, layout="shallow"), inversion)


def test_errors_teach():
    """Schedules, latents, prompts and models that cannot be are refused before anything runs."""
    model = fresh_model(SHALLOW)
    high, low = SplitSigmas.execute(invert(model)[2], 3).args
    with spy_calls(model) as calls:
        with pytest.raises(ValueError, match=r"^sigmas ends at .*low part"):
            invert(model, sigmas=high)
        with pytest.raises(ValueError, match=r"^sigmas rises .*without flipping"):
            invert(model, sigmas=FlipSigmas.execute(low)[0])
        with pytest.raises(ValueError, match=r"^cfg is 3 and `negative` is not connected"):
            invert(model, cfg=3.0, negative=None)
        with pytest.raises(ValueError, match=r"^latent has the shape \(1, 16, 6, 6\)"):
            invert(model, latent={"samples": torch.randn(1, 16, 6, 6)})
        with pytest.raises(ValueError, match=r"^model predicts as X0"):
            invert(ModelSamplingDiscrete().patch(model, "img_to_img", False)[0])
    assert not calls
    with pytest.raises(ValueError, match=r"^start_percent is 1, and none of the inversion's 5 steps"):
        reconstruct(model, invert(model)[0], start=1.0)


def test_replay_wants_its_own_schedule_and_size():
    """Stored noise fits no other steps and no other latents."""
    model = fresh_model(SHALLOW)
    inversion, _, sigmas = invert(model)
    for other in (sigmas[:-1] * 0.9, sigmas * 1.01, torch.cat([sigmas[:1] * 2, sigmas])):
        with pytest.raises(ValueError, match=r"^sigmas has \d noise levels .*come with the inversion"):
            SamplerCustom.execute(model, False, 0, 1.0, *prompts(model), Replay(inversion), other, picture())
    with pytest.raises(ValueError, match=r"^latent holds \(1, 4, 5, 9\) .* \(2, 4, 5, 9\)"):
        SamplerCustom.execute(
            model, False, 0, 1.0, *prompts(model), Replay(inversion), sigmas, picture(images=1)
        )


@pytest.mark.parametrize("method", METHODS)
def test_progress_is_shown(method, monkeypatch):
    """Each step moves the host's progress bar, on either way."""
    monkeypatch.setattr(comfy.utils, "PROGRESS_THROTTLE_MIN_INTERVAL", 0)
    seen, model = [], fresh_model(SHALLOW)
    comfy.utils.set_progress_bar_global_hook(lambda value, total, *rest, **named: seen.append((value, total)))
    try:
        inversion = invert(model, method)[0]
        reconstruct(model, inversion)
    finally:
        comfy.utils.set_progress_bar_global_hook(None)
    assert seen == [(done, STEPS) for done in range(1, STEPS + 1)] * 2


@pytest.mark.parametrize("method", METHODS)
def test_cancel_leaves_nothing(method):
    """An inversion cancelled half-way leaves model, prompt and latent as they were, and can be made again."""
    model, latent, texts = fresh_model(SHALLOW), picture(), prompts(fresh_model(SHALLOW))
    fresh, expected = sample(model, *texts), invert(model, method)[0]
    before = inventory(model), set(texts[0][0][1]), latent["samples"].clone()
    calls = 0

    def stop(h, options):
        nonlocal calls
        calls += options["block"] == ("input", 0)
        if calls == STEPS // 2:
            raise InterruptProcessingException
        return h

    cancelled = model.clone()
    cancelled.set_model_input_block_patch(stop)
    with pytest.raises(InterruptProcessingException):
        invert(cancelled, method, latent, texts=texts)
    assert calls == STEPS // 2
    assert (inventory(model), set(texts[0][0][1])) == before[:2]
    assert torch.equal(latent["samples"], before[2])
    assert torch.equal(sample(model, *texts), fresh)
    assert torch.equal(invert(model, method)[0].states, expected.states)


def test_noise_mask_is_ignored():
    """The picture is inverted whole, and the mask does not travel on."""
    model, latent = fresh_model(SHALLOW), picture()
    masked = {**latent, "noise_mask": torch.zeros(1, 40, 72)}
    inversion, noisiest, _ = invert(model, latent=masked)
    assert torch.equal(inversion.states, invert(model)[0].states)
    assert set(noisiest) == {"samples"}


@pytest.mark.parametrize("node", [InvertLatent, ReconstructLatent])
def test_every_socket_has_a_tooltip(node):
    """Inputs and outputs explain themselves."""
    info = node.GET_NODE_INFO_V1()
    inputs = {**info["input"]["required"], **info["input"]["optional"]}
    assert all(options["tooltip"] for _, options in inputs.values())
    assert all(info["output_tooltips"])
