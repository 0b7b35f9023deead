"""CrossImageAttention as a user meets it: inputs, errors, masks, the report."""

from dataclasses import replace

import pytest
import torch
from attention_control.nodes.host.run.install import installed
from attention_control.nodes.style.cross_image_attention_node import CrossImageAttention
from attention_control.nodes.style.subject_masks import object_segments
from safetensors.torch import save_file

from .specimen import SHALLOW, model
from .test_cross_image import DEFAULTS, output, transfer
from .test_tokens import with_embeddings
from .tiny import tiny_clip
from .transfers import inverted, pair, prompt, sampled

SHAPE = SHALLOW
EXTRA = {"adain_start_percent", "structure_mask", "appearance_mask", "clip"}


def test_inputs_and_defaults_are_the_published_ones():
    """Workflows store inputs by name, so names, order and defaults never change."""
    schema = CrossImageAttention.define_schema()
    names = [x.id for x in schema.inputs]
    assert names[:3] == ["model", "structure", "appearance"]
    assert [name for name in names[3:] if name not in EXTRA] == list(DEFAULTS)
    assert {x.id: x.default for x in schema.inputs if x.id in DEFAULTS} == DEFAULTS
    assert all(x.tooltip for x in (*schema.inputs, *schema.outputs))
    assert [x.io_type for x in schema.outputs] == ["MODEL", "SAMPLER", "SIGMAS", "LATENT"]


def test_the_model_it_was_given_stays_plain():
    """The node works on a clone."""
    given = transfer(SHAPE, *pair(SHAPE))
    assert installed(model(SHAPE)) == () and len(installed(given[0])) == 1


def test_another_models_inversion_is_refused():
    """The error names the input."""
    with pytest.raises(ValueError, match=r"^appearance: inversion: it was made with"):
        transfer(SHAPE, inverted(SHAPE, 1), inverted("sd2", 2))
    with pytest.raises(ValueError, match=r"^structure: inversion: it was made with"):
        transfer(SHAPE, inverted("sd2", 1), inverted(SHAPE, 2))


def test_other_steps_are_refused():
    """Both must have walked the same noise levels."""
    with pytest.raises(
        ValueError, match=r"structure walked 8 steps .* appearance 4 .*same scheduler and steps"
    ):
        transfer(SHAPE, *pair(SHAPE, steps=4))


def test_a_layer_the_model_lacks_is_an_error_at_the_node():
    """The user learns at once which layers there are."""
    with pytest.raises(ValueError, match=r"'output 40'.*layers 1-4: input "):
        transfer(SHAPE, *pair(SHAPE), layers="output 40")


def test_a_begin_after_the_last_step_is_refused():
    """Nothing would be left to sample."""
    short = replace(inverted(SHAPE, 1, steps=2), sigmas=torch.tensor([14.0, 5.0, 0.0]))
    with pytest.raises(ValueError, match=r"begin_percent is 0.95, and none of the inversion's 2 steps"):
        transfer(SHAPE, short, short, begin_percent=0.95)


def test_another_latent_is_refused():
    """A run over another number or size of latents ends with the output to connect."""
    given = transfer(SHAPE, *pair(SHAPE))
    other = (*given[:3], {"samples": torch.zeros(1, 4, 8, 8)})
    with pytest.raises(ValueError, match=r"structure has 1 latent.* of 6 x 10 cells. .*LATENT output"):
        sampled(other, prompt(SHAPE))


def test_the_report_says_what_was_seen(report):
    """Layers, noise levels, how often the structure refreshed, and what AdaIN did."""
    output(SHAPE, *pair(SHAPE), refresh_structure_every=3)
    ((level, line),) = report("CrossImageAttention")
    assert level == "INFO"
    # of eight steps six are left from 0.32 on, and the swap starts with the second of them; structure 1 and 4
    assert line == (
        "2 of 4 layers, 5 of 6 noise levels, 1 image. It saw the appearance at 3 noise levels, and the "
        "structure's own keys at 2. AdaIN over the whole pictures, as neither masks nor a subject are given."
    )


def test_a_run_from_elsewhere_is_told(report):
    """Another sampler on fresh noise goes its own way; the report says what to connect."""
    import comfy.sample
    import comfy.samplers

    patched, _, sigmas, latent = transfer(SHAPE, *pair(SHAPE))
    noise = torch.randn(latent["samples"].shape, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        comfy.sample.sample_custom(
            patched,
            noise,
            1.0,
            comfy.samplers.sampler_object("euler"),
            sigmas,
            prompt(SHAPE),
            [],
            torch.zeros_like(noise),
            disable_pbar=True,
        )
    said = report("CrossImageAttention")[0][1]
    assert "The run did not begin at the structure's noisy state: connect this node's SAMPLER" in said


@pytest.mark.parametrize(("cfg", "told"), [(1.0, False), (4.0, True)])
def test_another_cfg_than_the_inversions_is_told(cfg, told, report):
    """Samplers have a CFG of 8 when they are new; the structure would be lost, and the report says why."""
    sampled(transfer(SHAPE, *pair(SHAPE)), prompt(SHAPE), prompt(SHAPE), cfg=cfg)
    assert ("set the sampler's cfg to 1" in report("CrossImageAttention")[0][1]) == told


def mask(left=0.0, right=0.0, size=(41, 77)):
    out = torch.full((1, *size), left)
    out[..., size[1] // 2 :] = right
    return out


def test_masks_bound_the_adain(report):
    """Of any size; the report says how much they cover, and they matter."""
    left = {"structure_mask": mask(1.0, 0.0), "appearance_mask": mask(0.0, 1.0)}
    masked = output(SHAPE, *pair(SHAPE), **left)
    said = report("CrossImageAttention")[0][1]
    assert "AdaIN inside the given masks: 50 % of the structure, 50 % of the appearance." in said
    whole = output(SHAPE, *pair(SHAPE), adain="whole", **left)
    assert "AdaIN over the whole pictures." in report("CrossImageAttention")[1][1]
    off = output(SHAPE, *pair(SHAPE), adain="off", **left)
    assert report("CrossImageAttention")[2][1].endswith("own keys at 1.")
    assert not torch.allclose(masked, whole, rtol=0.05)
    assert not torch.allclose(masked, off, rtol=0.05)


def test_adain_bounds_what_it_changes():
    """With all steps but the last plain, it touches the cells of its mask only."""
    late = {"adain_start_percent": 0.9, "structure_mask": mask(1.0, 0.0)}
    change = output(SHAPE, *pair(SHAPE), **late) - output(SHAPE, *pair(SHAPE), adain="off")
    assert float(change[..., :5].abs().min(1).values.max()) > 0 and float(change[..., 5:].abs().max()) == 0


def test_a_full_mask_is_the_whole_picture():
    """And a single mask serves for one picture, the other being whole."""
    whole = output(SHAPE, *pair(SHAPE), adain="whole")
    assert torch.equal(output(SHAPE, *pair(SHAPE), appearance_mask=mask(1.0, 1.0)), whole)


def test_an_empty_mask_falls_back_and_says_so(report):
    """No picture of not-a-number, and a line that tells why."""
    out = output(SHAPE, *pair(SHAPE), structure_mask=mask(), appearance_mask=mask(1.0, 0.0))
    assert torch.equal(out, output(SHAPE, *pair(SHAPE), adain="whole"))
    said = report("CrossImageAttention")[0][1]
    assert "AdaIN over the whole pictures, as one of the masks is empty, by the given masks." in said


def test_one_picture_of_two_falls_back():
    """The other keeps its mask; the report counts from 0."""
    structures, appearance = inverted(SHAPE, 1, images=2), inverted(SHAPE, 2)
    masks = {"structure_mask": torch.cat([mask(1.0, 0.0), mask()]), "appearance_mask": mask(1.0, 0.0)}
    given = transfer(SHAPE, structures, appearance, **masks)
    assert given[1].after_step.masks.fallbacks == (1,)
    remark = installed(given[0])[0].method.remark
    assert remark == (
        "AdaIN inside the given masks: 75 % of the structure, 75 % of the appearance. Image 1: over the "
        "whole pictures, as one of the masks is empty there."
    )


def test_a_wrong_number_of_masks_is_refused():
    """The error names the input."""
    with pytest.raises(ValueError, match="appearance_mask: 3 masks for 1 pictures"):
        transfer(SHAPE, *pair(SHAPE), appearance_mask=mask().expand(3, -1, -1))


def test_a_subject_is_found_by_looking(report):
    """Words in place of masks; the one that is given still counts."""
    text = {"subject": "cat, dog", "clip": tiny_clip("sd15")}
    output(SHAPE, *pair(SHAPE), **text)
    output(SHAPE, *pair(SHAPE), structure_mask=mask(1.0, 0.0), **text)
    lines = [line for _, line in report("CrossImageAttention")]
    assert "self-segmentation of 'cat, dog'" in lines[0] and "the given mask" not in lines[0]
    assert "the given mask, and for the appearance self-segmentation of 'cat, dog'" in lines[1]


def test_a_subject_of_commas_is_none():
    """As if nothing had been written."""
    given = transfer(SHAPE, *pair(SHAPE), subject=" , ")
    assert "as neither masks nor a subject are given" in installed(given[0])[0].method.remark


def test_a_subject_that_names_nothing_is_refused():
    """The error names the input."""
    with pytest.raises(ValueError, match=r"^subject: '-' is not in the prompt"):
        transfer(SHAPE, *pair(SHAPE), subject="-", clip=tiny_clip("sd15"))


def test_a_subject_that_cannot_be_read_is_refused(tmp_path):
    """The error names the input, and none that the node does not have."""
    save_file({"emb_params": torch.randn(2, 16)}, tmp_path / "foreign.safetensors")
    clip = with_embeddings("sd15", str(tmp_path))
    with pytest.raises(ValueError, match=r"^subject: it has an embedding of width 16"):
        transfer(SHAPE, *pair(SHAPE), subject="embedding:foreign", clip=clip)


def test_adain_behind_the_last_step_is_none():
    """And is not said to have worked."""
    patched, sampler, *_ = transfer(SHAPE, *pair(SHAPE), adain="whole", adain_start_percent=1.0)
    assert sampler.after_step is None
    (method,) = installed(patched)
    assert "No AdaIN: adain_start_percent lies behind the last step." in method.method.remark


def test_a_subject_needs_a_text_encoder():
    """The error says what to connect."""
    with pytest.raises(ValueError, match="subject: words need `clip`"):
        transfer(SHAPE, *pair(SHAPE), subject="cat")


def test_a_subject_is_found_on_the_plain_model():
    """Another method on the model, made for other latents, has no say in where the subject is."""
    structure, appearance = pair(SHAPE)
    other = transfer(SHAPE, inverted(SHAPE, 1, (8, 8)), appearance)[0]
    text = {"subject": "cat", "clip": tiny_clip("sd15")}
    found, plain = (
        transfer(SHAPE, structure, appearance, patcher=patcher, **text)[1].after_step.masks
        for patcher in (other, model(SHAPE))
    )
    assert torch.equal(found.structure, plain.structure)


@pytest.mark.parametrize(
    ("scores", "subject"),
    [((0.28, 0.1, 0.08, 0.07, 0.05), (0,)), ((0.6, 0.5, 0.45, 0.4, 0.35), (0,)), ((0.2, 0.2, 0.2), ())],
)
def test_the_subject_is_what_stands_out_of_the_other_segments(scores, subject):
    """By 1.4 times the mean of all but the best, however high all of them are."""
    assert tuple(object_segments(torch.tensor(scores)).nonzero().flatten().tolist()) == subject
