"""StyleAlignedBatch as a user meets it: its inputs, its errors, its report, its place in the schedule."""

import comfy.sample
import comfy.samplers
import pytest
import torch
from attention_control.nodes.host.run.install import installed
from attention_control.nodes.style.style_aligned_batch_node import StyleAlignedBatch
from comfy_api.latest import io

from . import naive
from .specimen import model
from .tiny import assert_same_image, conditioning, every_image, sample

DEFAULTS = {
    "sharing": "reference",
    "adain": "queries and keys",
    "reference_index": 0,
    "score_shift": 0.0,
    "score_scale": 1.0,
    "share_group_norm": False,
    "layers": "all",
    "start_percent": 0.0,
    "end_percent": 1.0,
}


def align(patcher, **settings):
    """The node's MODEL, as the server calls it."""
    node = StyleAlignedBatch.PREPARE_CLASS_CLONE({"hidden_inputs": {io.Hidden.unique_id: "7"}})
    return node.execute(patcher, **{**DEFAULTS, **settings}).args[0]


def run(patcher, rows=4, negative_rows=1, **how):
    """Latents of four images."""
    prompts = conditioning(patcher, rows, seed=1), conditioning(patcher, negative_rows, seed=2)
    return sample(patcher, *prompts, **{"batch": 4, **how})


def test_inputs_and_defaults_are_the_published_ones():
    """Workflows store widgets by their order, so names, order and defaults never change."""
    schema = StyleAlignedBatch.define_schema()
    last = schema.inputs[-4:]
    assert [x.id for x in schema.inputs] == ["model", *DEFAULTS, *(x.id for x in last)]
    assert {x.id: x.default for x in schema.inputs[1:-4]} == DEFAULTS
    assert [x.id for x in last] == ["reference_picture", "references", "follow_masks", "placement"]
    assert all(x.optional for x in last) and [x.default for x in last[2:]] == ["each place", "beside"]
    assert all(x.tooltip for x in (*schema.inputs, *schema.outputs))
    assert [x.id for x in schema.inputs if x.advanced] == ["share_group_norm", "follow_masks", "placement"]


def test_the_model_it_was_given_stays_plain():
    """The node works on a clone: siblings and the original know nothing of it."""
    original = model("sd15")
    first, second = align(original), align(original, reference_index=2)
    chained = align(first, reference_index=3)
    found = [[spec.method.reference for spec in installed(x)] for x in (original, first, second, chained)]
    assert found == [[], [0], [2], [0, 3]]


def test_a_layer_the_model_lacks_is_an_error_at_the_node():
    """The user learns at once which layers there are."""
    with pytest.raises(ValueError, match=r"'output 40'.*layers 1-7: input "):
        align(model("sd15"), layers="middle, output 40")


def test_a_reversed_range_is_an_error_at_the_node():
    """Both numbers are quoted."""
    with pytest.raises(ValueError, match=r"start_percent 0\.9 .* end_percent 0\.2"):
        align(model("sd15"), start_percent=0.9, end_percent=0.2)


def test_a_model_that_is_no_unet_is_refused():
    """A wrong model is named, with what would do."""

    class Transformer(torch.nn.Module):
        pass

    other = model("sd15").clone()
    other.add_object_patch("diffusion_model", Transformer())
    with pytest.raises(ValueError, match=r"model: this is Transformer, .*SD1\.5, SD2, SDXL"):
        align(other)


@pytest.mark.parametrize(
    ("rows", "negative_rows", "message"),
    [
        (3, 1, "positive conditioning has 3 rows.* 4 images"),
        (4, 2, "negative conditioning has 2 rows.* 4 images"),
    ],
)
def test_prompts_that_do_not_fit_the_batch_are_an_error(shape, rows, negative_rows, message):
    """The host would repeat or drop rows in silence."""
    with pytest.raises(ValueError, match=message):
        run(align(model(shape)), rows, negative_rows)


@pytest.mark.parametrize("shape", ["sdxl"])
def test_one_prompt_for_all_is_that_prompt_for_each(shape):
    """A row for every image, positive or negative, gives what one row for all gives."""
    positive, negative = (conditioning(model(shape), seed=seed) for seed in (1, 2))
    patched, how = align(model(shape)), {"batch": 4}
    expected = sample(patched, positive, negative, **how)
    written_out = every_image(positive, 4), every_image(negative, 4)
    assert_same_image(sample(patched, *written_out, **how), expected)
    assert_same_image(sample(patched, positive, written_out[1], **how), expected)


def test_a_reference_outside_the_batch_is_an_error(shape):
    """The error names the index and the batch."""
    with pytest.raises(ValueError, match=r"reference_index is 4.* 4 image.* 0 to 3"):
        run(align(model(shape), reference_index=4))


@pytest.mark.parametrize("shape", ["sd15"])
def test_settings_that_ask_for_nothing_complain_of_nothing(shape):
    """A node that is switched off does not stop a batch that it would not fit."""
    off = align(model(shape), reference_index=9, start_percent=0.3, end_percent=0.3)
    assert torch.equal(run(off), run(model(shape)))


@pytest.mark.parametrize("shape", ["sd2"])
def test_one_image_is_the_plain_one_and_the_report_says_so(shape, report):
    """A batch of one has nothing to share."""
    how = {"rows": 1, "batch": 1}
    out = run(align(model(shape), share_group_norm=True), **how)
    assert report() == [
        ("WARNING", "StyleAligned: nothing to do, the batch holds a single image: a plain run.")
    ]
    assert torch.equal(out, run(model(shape), **how))


def test_report_counts_layers_noise_levels_and_images(report):
    """After a run the log says what was touched."""
    run(align(model("sdxl"), layers="input, middle", end_percent=0.6), steps=4)
    ((level, line),) = report()
    assert level == "INFO"
    assert line == "StyleAligned: 5 of 11 layers, 2 of 4 noise levels, 4 images."


@pytest.mark.parametrize(
    ("images", "settings", "told"),
    [
        ([2, 3], {}, "images 2, 3 of a larger batch, and follow image 2 of it;"),
        ([2, 3], {"sharing": "all images"}, "images 2, 3 of a larger batch, and follow one another;"),
        ([0, 3], {}, None),
        ([0, 3], {"sharing": "all images"}, "images 0, 3 of a larger batch"),
        ([0, 1], {"sharing": "all images"}, None),
        ([2, 2], {}, None),  # of one noise, which no batch has
        ([2, 2], {"sharing": "all images"}, None),
    ],
)
def test_images_cut_out_of_a_batch_are_told(report, images, settings, told):
    """They follow another image than those that they were cut from do, as their noise tells."""
    run(align(model("sd15"), **settings), rows=1, batch=2, images=images, seed=5)
    ((_, line),) = report()
    assert told in line if told else line.endswith("2 images.")


def test_touching_nothing_is_a_warning(report):
    """A range that no step falls into is not passed over in silence."""
    run(align(model("sd15"), start_percent=0.51, end_percent=0.52), steps=3)
    ((level, line),) = report()
    assert level == "WARNING"
    assert "touched no attention layer" in line


@pytest.mark.parametrize(("start", "end"), [(0.0, 0.5), (0.25, 0.75), (0.5, 1.0), (0.0, 1.0)])
def test_the_range_is_the_hosts(start, end):
    """The steps touched are those whose sigma lies between the host's sigmas of both percents."""
    patcher = model("sd15")
    sampling = patcher.get_model_object("model_sampling")
    first, last = sampling.percent_to_sigma(start), sampling.percent_to_sigma(end)
    aligned = align(patcher, start_percent=start, end_percent=end)
    for sigma in (min(first, float(sampling.sigma_max)), 3.0, max(last, float(sampling.sigma_min))):
        same = torch.equal(one_step(aligned, sigma), one_step(patcher, sigma))
        assert same != (first >= sigma > last), f"sigma {sigma}"


def one_step(patcher, sigma):
    """One step of Euler from the given noise level to zero."""
    latent = torch.zeros(4, 4, 8, 8)
    noise = torch.randn(4, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return comfy.sample.sample_custom(
            patcher,
            noise,
            4.0,
            comfy.samplers.sampler_object("euler"),
            torch.tensor([sigma, 0.0]),
            conditioning(patcher, 4, seed=1),
            conditioning(patcher, seed=2),
            latent,
        )


@pytest.mark.parametrize("shape", ["sdxl"])
def test_the_reference_is_the_picture_made_without_the_others(shape):
    """Sampled alone, with its own prompt and noise, the reference is the same picture."""
    batch = run(align(model(shape), reference_index=0))
    alone = run(model(shape), rows=1, batch=1)
    assert_same_image(batch[:1], alone)


def test_images_like_the_reference_become_the_reference(shape):
    """With the reference's prompt and noise, sharing and AdaIN change nothing but rounding."""
    out = run(align(model(shape)), rows=1, images=[0, 0, 0, 0])
    for image in out[1:]:
        assert_same_image(image[None], out[:1], tolerance=1e-3)


@pytest.mark.parametrize("shape", ["sd15", "sdxl"])
def test_shared_group_norm_is_a_group_norm_of_the_stack(shape):
    """Equal to modules that stack image and reference along the height themselves."""
    patcher = model(shape)
    shared = run(align(patcher, sharing="off", adain="off", share_group_norm=True), width=12)
    expected = patcher.clone()
    for name, module in patcher.model.named_modules():
        if isinstance(module, torch.nn.GroupNorm):
            expected.add_object_patch(name, naive.StackedGroupNorm(module, images=4))
    assert_same_image(shared, run(expected, width=12))


def test_a_stronger_shift_moves_further():
    """More weight on the reference's keys moves the other images further from the plain ones."""
    plain = run(model("sd15"))
    moved = [
        float((run(align(model("sd15"), adain="off", score_shift=shift)) - plain)[1:].square().mean())
        for shift in (-10.0, -2.0, 0.0, 2.0)
    ]
    assert moved == sorted(moved)
    assert moved[0] < 1e-3 * moved[-1]
