"""PromptToPrompt as a user meets it: inputs, errors, the batch that it makes, and what it says."""

import pytest
import torch
from attention_control.attention_patches.contract.batch import Batch
from attention_control.attention_patches.methods.prompt_to_prompt.blend import Blending
from attention_control.nodes.edit.prompt_to_prompt_node import PromptToPrompt
from attention_control.nodes.host.families import family_of
from safetensors.torch import save_file

from .editing import EDITS, SOURCE, change, run, spec
from .one_noise_runs import SIZE
from .specimen import SHALLOW, model
from .test_tokens import with_embeddings
from .tiny import conditioning, sample, tiny_clip

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
    ("prompts", "name"),
    [
        (("a embedding:foreign cat", EDITS), "source_prompt"),
        (("a cat", "a dog\n\na embedding:foreign cat"), "edit_prompts, edit 2"),
    ],
)
def test_errors_of_a_prompt_name_its_line(tmp_path, prompts, name):
    """The node has no input `prompt`."""
    save_file({"emb_params": torch.randn(2, 16)}, tmp_path / "foreign.safetensors")
    with pytest.raises(ValueError, match=f"^{name}: it has an embedding of width 16"):
        change(with_embeddings("sd15", str(tmp_path)), *prompts)


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


def test_the_report_says_what_was_understood(clip):
    """A line for each image."""
    lines = change(clip, reweight="big 2", blend_words="cat, dog")[3].splitlines()
    assert lines == [
        "Image 0, the source: a red cat, on the stairs (may change: cat)",
        "Image 1, swap (cat -> dog): a red dog, on the stairs (may change: dog)",
        "Image 2, refine (new: very, big); big x 2: a very big red cat, on the stairs (may change: cat)",
        "Image 3, as the source: a red cat, on the stairs (may change: cat)",
    ]


def test_line_breaks_of_the_source_count_for_nothing_with_clip(clip):
    """Its tokens have no spaces: words, alignment and report are as on one line."""
    how = {"reweight": "cat 2", "blend_words": "cat, dog"}
    (_, expected, _, report, _), (_, texts, _, told, _) = (
        change(clip, source, **how) for source in (SOURCE, " a red\n  cat, on\nthe stairs \n")
    )
    assert torch.equal(texts[0][0], expected[0][0]) and told == report


def test_off_is_the_plain_run(clip, caplog):
    """No map is taken, none is held: every image is its own prompt's, of the same noise."""
    outputs = change(clip, edit="off", self_until=0.0)
    assert torch.equal(run(outputs), run((model(SHALLOW), *outputs[1:])))


def test_a_run_behind_the_ends_says_so(clip, caplog):
    """As in img2img with little noise: none of its noise levels lies in the range."""
    outputs = change(clip, cross_until=0.1, self_until=0.1)
    run(outputs, denoise=0.3)
    assert "its range holds none of 3 noise levels" in caplog.text
