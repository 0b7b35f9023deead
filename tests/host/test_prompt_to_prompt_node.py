"""PromptToPrompt as a user meets it: inputs, what is written in them, errors, the batch that it makes."""

import inspect

import comfy.sample
import comfy.samplers
import pytest
import torch
from attention_control.attention_patches.contract.batch import Batch
from attention_control.attention_patches.methods.prompt_to_prompt.blend import Blending
from attention_control.nodes.edit.prompt_to_prompt_node import PromptToPrompt
from attention_control.nodes.edit.prompts.word_numbers import word_numbers
from attention_control.nodes.host.facts.samplers import NOISE_SAMPLER
from attention_control.nodes.host.facts.samplers import UNTOLD as UNTOLD_BY_HOST
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import installed
from comfy.extra_samplers import uni_pc
from comfy.k_diffusion import sampling
from comfy_extras import nodes_advanced_samplers
from comfy_extras.nodes_advanced_samplers import SamplerLCMUpscale

from .node_calls import call_node
from .one_noise_runs import SIZE, empty
from .one_noise_runs import run as sampled
from .specimen import SHALLOW, model
from .tiny import conditioning, sample, tiny_clip

SOURCE = "a red cat, on the stairs"
EDITS = "a red dog, on the stairs\na very big red cat, on the stairs\na red cat, on the stairs"
DEFAULTS = {
    "edit": "auto",
    "cross_until": 0.8,
    "cross_until_words": "",
    "self_until": 0.4,
    "self_max_tokens": 256,
    "reweight": "",
    "blend_words": "",
    "keep_words": "",
    "blend_threshold": 0.3,
    "blend_from": 0.0,
    "layers": "all",
    "show_masks": True,
}


def change(clip, source=SOURCE, edits=EDITS, latent=None, shape=SHALLOW, **settings):
    """The node's outputs."""
    latent = empty() if latent is None else latent
    with torch.inference_mode():
        return call_node(PromptToPrompt, model(shape), clip, source, edits, latent=latent, **settings)


def spec(outputs):
    """What the node has put on the MODEL."""
    (patch,) = installed(outputs[0])
    return patch.method


def run(outputs, shape=SHALLOW, **how):
    """Latents of all images after three steps."""
    return sampled(outputs, shape, **{"steps": 3, **how})


def test_inputs_and_defaults_are_the_published_ones():
    """Workflows store widgets by their order, so names, order and defaults never change."""
    schema = PromptToPrompt.define_schema()
    prompts = ["model", "clip", "source_prompt", "edit_prompts", "latent"]
    assert [x.id for x in schema.inputs] == [*prompts, *DEFAULTS, "inversion"]
    assert {x.id: x.default for x in schema.inputs[5:-1]} == DEFAULTS
    assert all(x.tooltip for x in (*schema.inputs, *schema.outputs))
    advanced = ["self_max_tokens", "keep_words", "blend_from", "layers", "show_masks"]
    assert [x.id for x in schema.inputs if getattr(x, "advanced", None)] == advanced


@pytest.mark.parametrize("shown", [True, False])
def test_masks_are_drawn_or_not(clip, shown):
    """While the node runs, once in each call that blends, as it is told."""
    outputs = change(clip, blend_words="cat, dog", show_masks=shown)
    drawn = []
    layers = family_of(model(SHALLOW)).layer_map()
    sizes = family_of(model(SHALLOW)).layer_sizes((16, 16))
    batch = Batch(4, (16, 16), layers, sizes, {}, {}, (), print, draw=lambda make: drawn.append(make))
    (blending,) = [part for part in spec(outputs).begin(batch) if isinstance(part, Blending)]
    blending.draw(lambda: None)
    assert bool(drawn) == shown


@pytest.mark.parametrize("shape", ["sd2", "sdxl"])
def test_an_edit_of_the_same_prompt_is_the_source(shape):
    """To the bit, and so is the source what the plain model makes of it; the other edits differ."""
    outputs = change(tiny_clip(shape), shape=shape)
    out = run(outputs, shape)
    plain = run((model(shape), *outputs[1:]), shape)
    assert torch.equal(out[0], plain[0])
    assert torch.equal(out[3], out[0])
    for image in (1, 2):
        assert not torch.allclose(out[image], out[0], rtol=0.01)
        assert not torch.allclose(out[image], plain[image], rtol=0.01)


@pytest.mark.parametrize("sampler", ["euler_ancestral", "dpmpp_2m_sde", "dpmpp_sde_gpu", "lcm", "er_sde"])
def test_samplers_that_draw_noise_draw_it_for_all(clip, sampler):
    """The same prompt gives the source, and the source what it gives alone under that seed."""
    outputs = change(clip, edits="a red cat, on the stairs\na red dog, on the stairs")
    out = run(outputs, sampler=sampler)
    assert torch.equal(out[1], out[0])
    [[text, more]] = outputs[1]
    alone = [[text[:1], {**more, "pooled_output": more["pooled_output"][:1]}]]
    start = {"samples": torch.zeros(1, 4, 6, 10), "batch_index": [0]}
    source = run((model(SHALLOW), alone, start, ""), sampler=sampler)
    assert torch.allclose(source[0], out[0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("sampler", ["ddim", "euler_ancestral", "uni_pc"])
def test_what_a_noise_mask_leaves_out_has_one_noise(clip, sampler):
    """The same prompt gives the source, and the source what the plain model makes of it; `ddim` draws noise
    of its own there, another for each image."""
    outputs = change(clip, edits="a red cat, on the stairs\na red dog, on the stairs")
    mask = torch.zeros(1, 1, 6, 10)
    mask[..., :5] = 1
    picture = torch.randn(1, 4, 6, 10, generator=torch.Generator().manual_seed(3)).repeat(3, 1, 1, 1)
    how = {"sampler": sampler, "latent": picture, "noise_mask": mask}
    out = run(outputs, **how)
    assert torch.equal(out[1], out[0])
    assert not torch.allclose(out[2], out[0], rtol=0.01)
    if sampler != "euler_ancestral":  # the plain model has other noise in each image between the steps
        assert torch.equal(out[0], run((model(SHALLOW), *outputs[1:]), **how)[0])


def foreign(model, x, sigmas, extra_args=None, callback=None, disable=None):
    """A sampler of another pack."""
    return sampling.sample_euler(model, x, sigmas, extra_args, callback, disable)


UNTOLD = {
    "churn": (
        comfy.samplers.ksampler("euler", {"s_churn": 5.0}),
        "The edits drift from the source: with s_churn the sampler adds noise of its own",
    ),
    "untold": (
        SamplerLCMUpscale.execute(1.0, 1, "bislerp").args[0],
        "The edits drift from the source: the sampler (sample_lcm_upscale) adds noise of its own",
    ),
    "foreign": (
        comfy.samplers.KSAMPLER(foreign),
        "The edits may drift from the source: it is not known whether the sampler (foreign) adds noise",
    ),
    "silent": (comfy.samplers.sampler_object("dpm_fast"), None),
}


@pytest.mark.parametrize(("sampler", "told"), UNTOLD.values(), ids=UNTOLD)
def test_noise_that_cannot_be_one_is_told(clip, caplog, sampler, told):
    """A sampler that adds noise of its own to each image lets the edits drift, and the report says why; of
    other packs' samplers it says that it is not known."""
    patched, positive, latent, *_ = change(clip)
    with torch.inference_mode(), caplog.at_level("INFO"):
        comfy.sample.sample_custom(
            patched,
            comfy.sample.prepare_noise(latent["samples"], 1, latent["batch_index"]),
            5.0,
            sampler,
            torch.tensor([10.0, 3.0, 0.0]),
            positive,
            conditioning(patched, seed=2),
            latent["samples"],
        )
    assert told in caplog.text if told else "drift from" not in caplog.text


def test_host_samplers_that_draw_and_cannot_be_told_are_named():
    """By their source: who draws noise without a `noise_sampler`, and without being asked to by s_churn."""
    named = set()
    for module in (sampling, uni_pc, nodes_advanced_samplers):
        for name, function in vars(module).items():
            if not name.startswith("sample_") or function.__module__ != module.__name__:
                continue
            parameters = inspect.signature(function).parameters
            drawing = "rand" in inspect.getsource(function)
            if drawing and not {NOISE_SAMPLER, "s_churn"} & set(parameters):
                named.add(name)
    assert named == set(UNTOLD_BY_HOST)


def test_the_latent_is_one_start_for_every_prompt(clip):
    """One row a prompt under one number, by which the host draws one noise; masks and pictures go along."""
    picture = torch.randn(2, 4, 6, 10)[:1].repeat(2, 1, 1, 1)
    given = {"samples": picture, "batch_index": [7, 8], "noise_mask": torch.ones(2, 48, 80)}
    latent = change(clip, latent=given)[2]
    assert latent["batch_index"] == [7] * 4
    assert torch.equal(latent["samples"], picture[:1].expand(4, -1, -1, -1))
    assert latent["noise_mask"].shape == (1, 48, 80)
    with pytest.raises(ValueError, match="latent: it holds 2 different pictures"):
        change(clip, latent={"samples": torch.randn(2, 4, 6, 10)})


def test_another_number_of_images_is_an_error_that_names_both(clip):
    """Not after a run, but as it begins."""
    patched, positive, *_ = change(clip)
    with pytest.raises(ValueError, match=r"has 4 prompts .*has 2 images"):
        sample(patched, positive, conditioning(model(SHALLOW), seed=2), batch=2, **SIZE)


def test_another_prompt_is_left_alone(clip, caplog):
    """And the report says which conditioning is missing."""
    patched, _, latent, *_ = change(clip)
    other = conditioning(model(SHALLOW), 4, seed=1)
    out = run((patched, other, latent, ""))
    assert torch.equal(out, run((model(SHALLOW), other, latent, "")))
    assert "connect the node's own CONDITIONING" in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        "smiling: 5, pink: -1.5",
        "smiling 5\npink -1.5",
        "(smiling:5)\n(pink:-1.5)",
        "smiling=5; pink = -1.5",
        "smiling x5, 'pink' : -1.5,",
        "smiling：5，pink：-1.5",
        "smiling * 5 , pink \u00d7 -1.5",
    ],
)
def test_numbers_of_words_as_people_write_them(text):
    """By lines, commas or semicolons, with colons, equal signs, brackets, or nothing."""
    assert word_numbers(text, "reweight") == {"smiling": 5.0, "pink": -1.5}


def test_phrases_and_numbers_in_words():
    """The last number is the factor."""
    assert word_numbers("big red cat 2, 1girl .5, cat#2: 3", "reweight") == {
        "big red cat": 2.0,
        "1girl": 0.5,
        "cat#2": 3.0,
    }


ERRORS = {
    "no number": ({"reweight": "smiling"}, r"reweight: 'smiling' is no word with a number behind it"),
    "no such word": (
        {"reweight": "horse: 2"},
        r"reweight: 'horse' is in no edit prompt.*They have: a, red, dog",
    ),
    "only in the source": ({"edits": "a dog", "reweight": "cat 2"}, r"reweight: 'cat' is in no edit prompt"),
    "end above 1": ({"cross_until_words": "dog: 5"}, r"cross_until_words: 'dog' has 5, .*use `reweight`"),
    "end of no word": ({"cross_until_words": "owl 0.3"}, r"cross_until_words: 'owl' is in no edit prompt"),
    "words": ({"edit": "swap"}, r"edit: a swap needs as many words.*source has 6.*has 8.*cat -> big"),
    "no source": ({"source": " \n"}, r"source_prompt: it is empty"),
    "no edit": ({"edits": " \n"}, r"edit_prompts: there is no edit"),
    "blend word": ({"blend_words": "owl"}, r"blend_words: 'owl' is in no prompt.*They have: a, red, cat"),
    "blend lines": ({"blend_words": "cat\ndog"}, r"blend_words: there are 2 lines, and 4 prompts"),
    "a line's word": (
        {"blend_words": "cat\ncat\ncat\ncat"},
        r"blend_words, line 2: 'cat' is not in the prompt",
    ),
    "keep alone": ({"keep_words": "stairs"}, r"keep_words: .*blend_words is empty"),
    "layers": ({"layers": "output 40"}, r"layers: no layer matches 'output 40'"),
}


@pytest.mark.parametrize(("given", "message"), ERRORS.values(), ids=ERRORS)
def test_errors_name_the_input_and_say_what_to_do(clip, given, message):
    """At the node, before anything is sampled."""
    with pytest.raises(ValueError, match=message):
        change(clip, **given)


@pytest.mark.parametrize(
    ("texts", "fault"),
    [
        ({"source_prompt": SOURCE, "edit_prompts": EDITS, "reweight": "big 2"}, None),
        ({"source_prompt": None, "edit_prompts": None}, None),  # connected: not known yet
        ({"source_prompt": " "}, "source_prompt: it is empty"),
        ({"edit_prompts": "\n"}, "edit_prompts: there is no edit"),
        ({"reweight": "big"}, "reweight: 'big' is no word with a number"),
        ({"cross_until_words": "big 2"}, "cross_until_words: 'big' has 2"),
    ],
)
def test_what_is_written_is_checked_before_anything_runs(texts, fault):
    """As far as it can be without the text encoder."""
    answer = PromptToPrompt.validate_inputs(**texts)
    assert answer is True if fault is None else answer.startswith(fault)


def test_ends_and_factors_reach_every_edit_that_has_the_word(clip):
    """All occurrences, by token; other words keep the general end."""
    edits = "a cat and a dog\na cat and a cat"
    made = spec(change(clip, "a fox and a dog", edits, cross_until_words="cat 0.3", reweight="cat: 2"))
    first, second = made.edits
    assert first.until[1:6] == (0.8, 0.3, 0.8, 0.8, 0.8)
    assert second.until[1:6] == (0.8, 0.3, 0.8, 0.8, 0.3)
    assert first.factors[1:6] == (1, 2, 1, 1, 1)
    assert second.factors[1:6] == (1, 2, 1, 1, 2)
    assert made.during.end == 0.8


def test_reweighting_alone_edits_the_equal_prompt(clip):
    """Nothing else is taken of the source, as both are the same."""
    outputs = change(clip, "a red cat", "a red cat", reweight="red 3")
    (edit,) = spec(outputs).edits
    assert [t for t, factor in enumerate(edit.factors) if factor != 1] == [2]
    assert not any(taken.tokens for taken in edit.taken)
    out = run(outputs)
    assert not torch.allclose(out[0], out[1], rtol=0.01)


def test_words_of_the_blend(clip):
    """One line for all: each prompt has those that it holds; or a line for each."""
    edits = "a red dog, on the stairs\na red owl, on the stairs"
    one = spec(change(clip, edits=edits, blend_words="cat, dog, owl", keep_words="stairs")).blend
    assert one.words == ((3,), (3,), (3,)) and one.kept == ((7,),) * 3
    some = spec(change(clip, edits=edits, blend_words="cat")).blend
    assert some.words == ((3,), (), ())
    each = spec(change(clip, edits=edits, blend_words="cat\nred dog\nowl", blend_from=0.2)).blend
    assert each.words == ((3,), (2, 3), (3,)) and each.start == 0.2 and each.threshold == 0.3


def test_the_report_says_what_was_understood(clip):
    """A line for each image."""
    lines = change(clip, reweight="big 2", blend_words="cat, dog")[3].splitlines()
    assert lines == [
        "Image 0, the source: a red cat, on the stairs (may change: cat)",
        "Image 1, swap (cat -> dog): a red dog, on the stairs (may change: dog)",
        "Image 2, refine (new: very, big); big x 2: a very big red cat, on the stairs (may change: cat)",
        "Image 3, as the source: a red cat, on the stairs (may change: cat)",
    ]


def test_off_is_the_plain_run(clip, caplog):
    """No map is taken, none is held: every image is its own prompt's, of the same noise."""
    outputs = change(clip, edit="off", self_until=0.0)
    assert torch.equal(run(outputs), run((model(SHALLOW), *outputs[1:])))


def test_a_run_behind_the_ends_says_so(clip, caplog):
    """As in img2img with little noise: none of its noise levels lies in the range."""
    outputs = change(clip, cross_until=0.1, self_until=0.1)
    run(outputs, denoise=0.3)
    assert "its range holds none of 3 noise levels" in caplog.text
