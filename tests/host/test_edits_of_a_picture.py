"""PromptToPrompt on an inversion: the source is the picture, whatever sampler runs."""

import comfy.samplers
import pytest
import torch
from attention_control.nodes.edit.one_start import start_of_edits
from attention_control.nodes.host.walks.model_identity import identity

from .editing import change, run
from .inversions import tiny_inversion
from .inverting import invert
from .specimen import SHALLOW, model
from .tiny import conditioning
from .tiny.precision import nearly

EDITS = "a red dog\na red cat"


def inversion_of(patcher, height=6, width=10, **how):
    """An inversion that says it was made with this model."""
    return tiny_inversion(height, width, model=identity(patcher), **how)


def own(out):
    """Latents in the model's own scale."""
    return model(SHALLOW).model.process_latent_in(out)


def edit(clip, inversion, **settings):
    """The node's outputs, of three images."""
    given = {"source": "a red cat", "edits": EDITS, "inversion": inversion, **settings}
    outputs = change(clip, **{"latent": {"samples": torch.zeros(1, 4, 6, 10)}, **given})
    return outputs


def test_the_latent_is_the_noisiest_state(clip):
    """In every row, in the scale of a LATENT."""
    inversion = inversion_of(model(SHALLOW))
    latent = edit(clip, inversion)[2]
    assert nearly(own(latent["samples"]), inversion.states[0].expand(3, -1, -1, -1), atol=1e-5)


@pytest.mark.parametrize("method", ["ddim", "edit friendly ddpm"])
@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "heun", "dpmpp_sde", "uni_pc"])
def test_the_source_ends_as_the_picture(clip, sampler, method):
    """Under CFG too; edits differ, and what the blend leaves out of them is the picture."""
    inversion = inversion_of(model(SHALLOW), method=method)
    out = own(run(edit(clip, inversion), sampler=sampler, between=(1, 4), steps=4))
    tolerance = 0.02 if sampler == "uni_pc" else 1e-5  # it stops at a sigma above 0
    assert (out[0] - inversion.picture[0]).abs().max() <= tolerance
    assert not torch.allclose(out[1], out[0], atol=0.1)
    blended = own(
        run(edit(clip, inversion, blend_words="red", blend_threshold=1.0), sampler=sampler, steps=4)
    )
    assert (blended - inversion.picture).abs().max() <= tolerance


def test_noise_that_was_added_is_told(clip, caplog):
    """The run starts at the inversion's own noise, and at none besides."""
    inversion = inversion_of(model(SHALLOW))
    outputs = edit(clip, inversion)
    with caplog.at_level("INFO"):
        run(outputs)
    assert "turn the sampler's own noise off" in caplog.text
    caplog.clear()
    with caplog.at_level("INFO"):
        walk_on(outputs, inversion.sigmas)
    assert "Image 0 is your picture." in caplog.text and "own noise off" not in caplog.text


def walk_on(outputs, sigmas, **how):
    """A run along the inversion's noise levels, without noise of its own."""
    patched, positive, latent, *_ = outputs
    with torch.inference_mode():
        return comfy.sample.sample_custom(
            patched,
            torch.zeros_like(latent["samples"]),
            4.0,
            comfy.samplers.sampler_object("euler"),
            sigmas,
            positive,
            conditioning(patched, seed=2),
            latent["samples"],
            **how,
        )


def test_what_a_noise_mask_leaves_out_is_the_picture(clip):
    """In the source and in its edits, which are what they are without a mask where it is white."""
    inversion = inversion_of(model(SHALLOW))
    mask = torch.zeros(1, 1, 6, 10)
    mask[..., :5] = 1
    masked = {"samples": torch.zeros(2, 4, 6, 10), "noise_mask": mask.expand(2, -1, -1, -1)}
    outputs = edit(clip, inversion, latent=masked)
    assert torch.equal(outputs[2]["noise_mask"], mask)
    out = own(walk_on(outputs, inversion.sigmas, noise_mask=mask))
    assert nearly(out[..., 5:], inversion.picture[..., 5:].expand(3, -1, -1, -1), atol=1e-5)
    assert nearly(out[0], inversion.picture[0], atol=1e-5)
    assert not torch.allclose(out[1:, ..., :5], out[:1, ..., :5], atol=0.1)
    white = walk_on(outputs, inversion.sigmas, noise_mask=torch.ones_like(mask))
    assert torch.equal(white, walk_on(outputs, inversion.sigmas))


def test_prompts_are_checked(clip, caplog):
    """Another prompt than that of the inversion is told, the same one is not."""
    [[text, more]] = edit(clip, inversion_of(model(SHALLOW)))[1]
    source = [[text[:1], {**more, "pooled_output": more["pooled_output"][:1]}]]
    latent = {"samples": torch.randn(1, 4, 6, 10)}
    (inversion, *_) = invert(model(SHALLOW), "ddim", latent, texts=(source, None))
    for prompt, told in (("a red cat", False), ("a red owl", True)):
        caplog.clear()
        with caplog.at_level("INFO"):
            walk_on(edit(clip, inversion, source=prompt), inversion.sigmas)
        assert ("another prompt than source_prompt" in caplog.text) == told


ERRORS = {
    "two pictures": ({"images": 2}, {}, r"inversion: it holds 2 pictures"),
    "size": ({"width": 8}, {}, r"latent is 10 x 6 latent cells.*inversion is 8 x 6.*disconnect `latent`"),
    "nothing": (None, {"latent": None}, r"latent: nothing is connected"),
}


@pytest.mark.parametrize(("inversion", "given", "message"), ERRORS.values(), ids=ERRORS)
def test_what_does_not_fit_is_an_error_at_the_node(clip, inversion, given, message):
    """Which input, what was passed, what to do."""
    made = None if inversion is None else inversion_of(model(SHALLOW), **inversion)
    with pytest.raises(ValueError, match=message):
        if made is None:
            start_of_edits(model(SHALLOW), None, None, 3)
        else:
            edit(clip, made, **given)


def test_another_models_inversion_is_refused(clip):
    """Its noise means nothing to this one."""
    with pytest.raises(ValueError, match="inversion: it was made with"):
        edit(clip, inversion_of(model("sd2")))


def test_a_run_in_two_parts_is_no_wrong_start_wherever_it_is_cut(clip, report):
    """Also hardly below the inversion's first level, where the picture has the noise that it began with."""
    inversion = inversion_of(model(SHALLOW))
    first = float(inversion.sigmas[0])
    cut = torch.tensor([first, 0.93 * first])
    outputs = edit(clip, inversion)
    patched, positive, latent, *rest = outputs
    half = walk_on(outputs, cut)
    rest_of_it = torch.cat([cut[1:], inversion.sigmas[1:]])
    walk_on((patched, positive, {**latent, "samples": half}, *rest), rest_of_it)
    assert not any("did not start" in line for _, line in report("PromptToPrompt"))


def test_the_later_part_of_a_run_is_no_wrong_start(clip, report):
    """It begins below the inversion's noise, at latents of any kind, and is said to be a later part."""
    inversion = inversion_of(model(SHALLOW))
    outputs = edit(clip, inversion)
    half = walk_on(outputs, inversion.sigmas[:3])
    patched, positive, latent, *rest = outputs
    walk_on((patched, positive, {**latent, "samples": half}, *rest), inversion.sigmas[2:])
    first, second = (line for _, line in report("PromptToPrompt"))
    assert "did not start" not in first + second
    assert "right for the later part of a run only" in second and "later part" not in first
