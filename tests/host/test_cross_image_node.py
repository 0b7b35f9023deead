"""CrossImageAttention as a user meets it: inputs, errors, masks, the report, other nodes beside it."""

import logging
from dataclasses import replace

import pytest
import torch
from attention_control.attention_patches.maps import MapStore
from attention_control.attention_patches.methods.style_aligned import StyleAligned
from attention_control.attention_patches.patch import Patch
from attention_control.attention_patches.recorder import Recorder
from attention_control.nodes.cross_image_attention import CrossImageAttention
from attention_control.nodes.host.install import install, installed
from attention_control.nodes.host.unet import layer_map
from comfy.model_management import InterruptProcessingException

from .inventory import inventory
from .methods import model
from .test_cross_image import DEFAULTS, WHOLE, output, picture, transfer
from .tiny import assert_same_image, tiny_clip
from .transfers import SIZE, inverted, prompt, sampled

SHAPE = "sd15"
EXTRA = {"adain_start_percent", "structure_mask", "appearance_mask", "clip"}


@pytest.fixture
def report(caplog):
    """The line that the pack logs for the node, with its level."""
    caplog.set_level(logging.INFO)

    def lines(label="CrossImageAttention"):
        start = f"[Attention Control] {label}: "
        return [
            (record.levelname, record.getMessage().removeprefix(start))
            for record in caplog.records
            if record.getMessage().startswith(start)
        ]

    return lines


def pair(**second):
    return inverted(SHAPE, 1), inverted(SHAPE, 2, **second)


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
    given = transfer(SHAPE, *pair())
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
        transfer(SHAPE, *pair(steps=4))


def test_a_layer_the_model_lacks_is_an_error_at_the_node():
    """The user learns at once which layers there are."""
    with pytest.raises(ValueError, match=r"'output 40'.*layers 1-7: input "):
        transfer(SHAPE, *pair(), layers="output 40")


def test_a_begin_after_the_last_step_is_refused():
    """Nothing would be left to sample."""
    short = replace(inverted(SHAPE, 1, steps=2), sigmas=torch.tensor([14.0, 5.0, 0.0]))
    with pytest.raises(ValueError, match=r"begin_percent is 0.95, and none of the inversion's 2 steps"):
        transfer(SHAPE, short, short, begin_percent=0.95)


def test_another_latent_is_refused():
    """A run over another number or size of latents ends with the output to connect."""
    given = transfer(SHAPE, *pair())
    other = (*given[:3], {"samples": torch.zeros(1, 4, 8, 8)})
    with pytest.raises(ValueError, match=r"structure has 1 latent.* of 6 x 10 cells. .*LATENT output"):
        sampled(other, prompt(SHAPE))


def test_the_report_says_what_was_seen(report):
    """Layers, noise levels, how often the structure refreshed, and what AdaIN did."""
    output(SHAPE, *pair(), refresh_structure_every=3)
    ((level, line),) = report()
    assert level == "INFO"
    # of eight steps six are left from 0.32 on, and the swap starts with the second of them
    assert line == (
        "4 of 7 layers, 5 of 6 noise levels, 1 image. It saw the appearance at 4 noise levels, and the "
        "structure's own keys at 1. AdaIN over the whole pictures, as neither masks nor a subject are given."
    )


def test_a_run_from_elsewhere_is_told(report):
    """Another sampler on fresh noise goes its own way; the report says what to connect."""
    import comfy.sample
    import comfy.samplers

    patched, _, sigmas, latent = transfer(SHAPE, *pair())
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
    assert (
        "The run did not begin at the structure's noisy state: connect this node's SAMPLER" in report()[0][1]
    )


@pytest.mark.parametrize(("cfg", "told"), [(1.0, False), (4.0, True)])
def test_another_cfg_than_the_inversions_is_told(cfg, told, report):
    """Samplers have a CFG of 8 when they are new; the structure would be lost, and the report says why."""
    sampled(transfer(SHAPE, *pair()), prompt(SHAPE), prompt(SHAPE), cfg=cfg)
    assert ("set the sampler's cfg to 1" in report()[0][1]) == told


def mask(left=0.0, right=0.0, size=(41, 77)):
    out = torch.full((1, *size), left)
    out[..., size[1] // 2 :] = right
    return out


def test_masks_bound_the_adain(report):
    """Of any size; the report says how much they cover, and they matter."""
    left = {"structure_mask": mask(1.0, 0.0), "appearance_mask": mask(0.0, 1.0)}
    masked = output(SHAPE, *pair(), **left)
    assert "AdaIN inside the given masks: 50 % of the structure, 50 % of the appearance." in report()[0][1]
    whole = output(SHAPE, *pair(), adain="whole", **left)
    assert "AdaIN over the whole pictures." in report()[1][1]
    off = output(SHAPE, *pair(), adain="off", **left)
    assert report()[2][1].endswith("own keys at 0.")
    assert not torch.allclose(masked, whole, rtol=0.05)
    assert not torch.allclose(masked, off, rtol=0.05)


def test_adain_bounds_what_it_changes():
    """With all steps but the last plain, it touches the cells of its mask only."""
    late = {"adain_start_percent": 0.9, "structure_mask": mask(1.0, 0.0)}
    change = output(SHAPE, *pair(), **late) - output(SHAPE, *pair(), adain="off")
    assert float(change[..., :5].abs().min(1).values.max()) > 0 and float(change[..., 5:].abs().max()) == 0


def test_a_full_mask_is_the_whole_picture():
    """And a single mask serves for one picture, the other being whole."""
    whole = output(SHAPE, *pair(), adain="whole")
    assert torch.equal(output(SHAPE, *pair(), appearance_mask=mask(1.0, 1.0)), whole)


def test_an_empty_mask_falls_back_and_says_so(report):
    """No picture of not-a-number, and a line that tells why."""
    out = output(SHAPE, *pair(), structure_mask=mask(), appearance_mask=mask(1.0, 0.0))
    assert torch.equal(out, output(SHAPE, *pair(), adain="whole"))
    assert (
        "AdaIN over the whole pictures, as one of the masks is empty, by the given masks." in report()[0][1]
    )


def test_one_picture_of_two_falls_back():
    """The other keeps its mask; the report counts from 1."""
    structures, appearance = inverted(SHAPE, 1, images=2), inverted(SHAPE, 2)
    masks = {"structure_mask": torch.cat([mask(1.0, 0.0), mask()]), "appearance_mask": mask(1.0, 0.0)}
    given = transfer(SHAPE, structures, appearance, **masks)
    assert given[1].after_step.masks.fallbacks == (1,)
    remark = installed(given[0])[0].patch.remark
    assert remark == (
        "AdaIN inside the given masks: 75 % of the structure, 75 % of the appearance. Picture 2: over the "
        "whole pictures, as one of the masks is empty there."
    )


def test_a_wrong_number_of_masks_is_refused():
    """The error names the input."""
    with pytest.raises(ValueError, match="appearance_mask: 3 masks for 1 pictures"):
        transfer(SHAPE, *pair(), appearance_mask=mask().expand(3, -1, -1))


def test_a_subject_is_found_by_looking(report):
    """Words in place of masks; the one that is given still counts."""
    text = {"subject": "cat, dog", "clip": tiny_clip(SHAPE)}
    output(SHAPE, *pair(), **text)
    output(SHAPE, *pair(), structure_mask=mask(1.0, 0.0), **text)
    lines = [line for _, line in report()]
    assert "self-segmentation of 'cat, dog'" in lines[0] and "the given mask" not in lines[0]
    assert "the given mask, and for the appearance self-segmentation of 'cat, dog'" in lines[1]


def test_a_subject_needs_a_text_encoder():
    """The error says what to connect."""
    with pytest.raises(ValueError, match="subject: words need `clip`"):
        transfer(SHAPE, *pair(), subject="cat")


def record(inner, outputs):
    """Maps of a run with a recorder, whose node comes before or after ours."""
    store = MapStore()
    every = layer_map(inner).parse("all")
    return install(inner, Recorder(store=store, cross_layers=every, self_layers=every)), store, outputs


def test_guests_leave_no_trace_in_recorded_maps():
    """Where the output sees its own keys, a recorder keeps what it keeps without us: of the output's rows,
    never of the guests'."""
    structure = inverted(SHAPE, 1)
    own = {**WHOLE, "contrast": 1.0, "swap_guidance": 3.0}
    stores = []
    for settings in (own, {**own, "end_percent": 0.0}):
        given = transfer(SHAPE, structure, structure, **settings)
        patched, store, _ = record(given[0], given)
        sampled((patched, *given[1:]), prompt(SHAPE))
        stores.append(store.read(None))
    with_guests, without = stores
    assert with_guests.images == without.images == 1
    for one, other in zip(with_guests.layers, without.layers, strict=True):
        for kind in ("cross_attention", "self_attention"):
            kept, expected = getattr(one, kind)["positive"], getattr(other, kind)["positive"]
            assert torch.allclose(kept.float(), expected.float(), atol=2e-3)


@pytest.mark.parametrize("size", [SIZE, (9, 7)])
def test_a_recorder_leaves_looks_at_other_pictures_out(size, report):
    """The run ends well whatever the number of keys, and the picture stays the same to the bit."""
    given = transfer(SHAPE, *pair(size=size))
    patched, store, _ = record(given[0], given)
    out = sampled((patched, *given[1:]), prompt(SHAPE))
    assert torch.equal(out, sampled(given, prompt(SHAPE)))
    maps = store.read(None)
    assert all(x.self_attention["positive"].shape[-1] == x.grid[0] * x.grid[1] for x in maps.layers)
    assert "20 looks at other pictures were left out." in report("AttentionRecorder")[0][1]


class Weighs(Patch):
    """Another method, which adds to the logits of each key."""

    label = "Weighs"

    def wants(self, site):
        return site.kind == "self"

    def __call__(self, site, qkv, attend):
        places = site.image_tokens.stop
        return attend(qkv.add_bias(torch.linspace(0, 0.1, places).expand(1, 1, 1, places)))


@pytest.mark.parametrize("ours_first", [True, False])
def test_a_method_that_weighs_keys_is_respected(ours_first, report):
    """Of the same number of places it goes on; of another we step aside at that layer and say so."""
    for size, aside in ((SIZE, False), ((9, 7), True)):
        base = model(SHAPE) if ours_first else install(model(SHAPE), Weighs())
        given = transfer(SHAPE, *pair(size=size), patcher=base)
        patched = install(given[0], Weighs()) if ours_first else given[0]
        out = sampled((patched, *given[1:]), prompt(SHAPE))
        assert out.isfinite().all()
        assert ("Left alone 20 times" in report()[-1][1]) == aside


@pytest.mark.parametrize("ours_first", [True, False])
def test_style_aligned_composes(ours_first):
    """Two structures in one style and one appearance, of another size, in either order of the nodes."""
    structure, appearance = inverted(SHAPE, 1, images=2), inverted(SHAPE, 9, (9, 7))
    aligned = StyleAligned(layers=layer_map(model(SHAPE)).parse("all"))
    base = model(SHAPE) if ours_first else install(model(SHAPE), aligned)
    given = transfer(SHAPE, structure, appearance, patcher=base)
    patched = install(given[0], aligned) if ours_first else given[0]
    both = sampled((patched, *given[1:]), prompt(SHAPE))
    alone = sampled(transfer(SHAPE, structure, appearance), prompt(SHAPE))
    assert both.isfinite().all()
    assert_same_image(both[:1], alone[:1], tolerance=1e-3)  # the reference is what it is alone
    assert not torch.allclose(both[1:], alone[1:], rtol=0.05)


def test_of_two_in_one_run_the_later_one_swaps(report):
    """Both want the same layers at the same time; the earlier one says that it was left alone."""
    structure, appearance = pair(size=(9, 7))
    earlier = transfer(SHAPE, structure, appearance, swap_guidance=1.0)[0]
    both = transfer(SHAPE, structure, inverted(SHAPE, 3), patcher=earlier, swap_guidance=1.0)
    alone = transfer(SHAPE, structure, inverted(SHAPE, 3), swap_guidance=1.0)
    assert torch.equal(sampled(both, prompt(SHAPE)), sampled(alone, prompt(SHAPE)))
    assert "Left alone 20 times: the keys are another picture's already." in report()[0][1]


def test_a_subject_is_found_on_the_plain_model():
    """Another method on the model, made for other latents, has no say in where the subject is."""
    structure, appearance = pair()
    other = transfer(SHAPE, inverted(SHAPE, 1, (8, 8)), appearance)[0]
    text = {"subject": "cat", "clip": tiny_clip(SHAPE)}
    found, plain = (
        transfer(SHAPE, structure, appearance, patcher=patcher, **text)[1].after_step.masks
        for patcher in (other, model(SHAPE))
    )
    assert torch.equal(found.structure, plain.structure)


def test_a_cancelled_run_leaves_nothing():
    """Stopped inside a pass, the next run of the same outputs is the same picture."""
    given = transfer(SHAPE, *pair(size=(9, 7)))
    before, first = inventory(model(SHAPE)), sampled(given, prompt(SHAPE))
    calls = 0

    def stop(h, options):
        nonlocal calls
        calls += options["block"] == ("output", 0)
        if calls == 7:
            raise InterruptProcessingException
        return h

    cancelled = given[0].clone()
    cancelled.set_model_input_block_patch(stop)
    cancelled.set_model_output_block_patch(lambda h, skip, options: (stop(h, options), skip))
    with pytest.raises(InterruptProcessingException):
        sampled((cancelled, *given[1:]), prompt(SHAPE))
    assert inventory(model(SHAPE)) == before
    assert torch.equal(sampled(given, prompt(SHAPE)), first)


def test_passes_that_do_not_count_are_not_made():
    """A plain step is one call of the model, a swapped one two with the guest's, three with guidance."""
    from .tiny import spy_calls

    structure, appearance = pair(size=(9, 7))
    for settings, calls in (({"end_percent": 0.0}, 8), ({"swap_guidance": 1.0}, 16), ({}, 24)):
        given = transfer(SHAPE, structure, appearance, **{**WHOLE, **settings})
        with spy_calls(model(SHAPE)) as made:
            sampled(given, prompt(SHAPE))
        assert len(made) == calls
    assert picture(SHAPE, structure).shape[-2:] == SIZE
