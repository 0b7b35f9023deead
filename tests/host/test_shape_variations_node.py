"""ShapeVariations as a user meets it: inputs, what is written in them, errors, the batch that it makes."""

import pytest
import torch
from attention_control.attention_patches.methods.shape_variations.keeping import Kept
from attention_control.nodes.edit.prompts.object_prompt import ObjectPrompt
from attention_control.nodes.edit.shape_variations_node import ShapeVariations
from attention_control.nodes.host.run.install import installed

from .node_calls import call_node
from .one_noise_runs import SIZE, empty, run
from .specimen import SHALLOW, model
from .tiny import conditioning, sample, tiny_clip

PROMPT = "a red {cat} on the stairs"
PROXIES = "dog\nhedgehog\ncat"
DEFAULTS = {
    "count": 4,
    "shape_from": 0.14,
    "shape_until": 0.34,
    "keep_objects": "",
    "keep_until": 0.8,
    "keep_threshold": 0.05,
    "keep_background": True,
    "background_words": "",
    "blend_at": 0.7,
    "segments": 5,
    "label_threshold": 0.3,
    "seed": 0,
}


def vary(clip, prompt=PROMPT, proxies=PROXIES, shape=SHALLOW, **settings):
    """The node's outputs."""
    with torch.inference_mode():
        return call_node(
            ShapeVariations, model(shape), clip, prompt, proxies=proxies, **{"latent": empty(), **settings}
        )


def test_inputs_and_defaults_are_the_published_ones():
    """Workflows store widgets by their order, so names, order and defaults never change."""
    schema = ShapeVariations.define_schema()
    assert [x.id for x in schema.inputs] == [
        *("model", "clip", "prompt", "proxies", "count", "latent", "shape_from", "shape_until"),
        *("keep_objects", "keep_until", "keep_threshold", "keep_background", "background_words", "blend_at"),
        *("segments", "label_threshold", "seed"),
    ]
    assert {x.id: x.default for x in schema.inputs if x.id in DEFAULTS} == DEFAULTS
    assert all(x.tooltip for x in (*schema.inputs, *schema.outputs))


@pytest.mark.parametrize("shape", ["sdxl"])
def test_the_objects_own_word_gives_the_original(shape):
    """To the bit, and so is the original what the plain model makes of it; the other proxies differ."""
    outputs = vary(tiny_clip(shape), shape=shape)
    out = run(outputs, shape)
    plain = run((model(shape), *outputs[1:]), shape)
    assert torch.equal(out[0], plain[0])
    assert torch.equal(out[3], out[0])
    for image in (1, 2):
        assert not torch.allclose(out[image], out[0], rtol=0.01)
        assert not torch.allclose(out[image], plain[image], rtol=0.01)


@pytest.mark.parametrize("shape", ["sd2"])
def test_no_time_for_shapes_gives_the_original(shape):
    """In every image, to the bit: also where a pooled vector says what the prompt is."""
    out = run(vary(tiny_clip(shape), shape=shape, shape_from=0.3, shape_until=0.3), shape)
    for image in range(1, 4):
        assert torch.equal(out[image], out[0])


@pytest.mark.parametrize("sampler", ["euler_ancestral", "dpmpp_2m_sde", "lcm"])
def test_samplers_that_draw_noise_draw_it_for_all(clip, sampler):
    """The object's own word gives the original."""
    out = run(vary(clip, proxies="cat\ndog"), sampler=sampler)
    assert torch.equal(out[1], out[0])
    assert not torch.allclose(out[2], out[0], rtol=0.01)


def test_words_of_other_lengths_and_prompts_of_several_chunks(clip):
    """Values are paired with keys by their place; a longer proxy may need a chunk more."""
    long = "a " + "very " * 72 + "{cat}"
    outputs = vary(clip, long, "cat\ngigantic hippopotamus of stone")
    assert outputs[1][0][0].shape[1] == 2 * 77
    out = run(outputs)
    assert torch.equal(out[1], out[0])
    assert not torch.equal(out[2], out[0])
    assert "(5 tokens more: paired by place)" in outputs[4]


def test_another_number_of_images_is_an_error_that_names_both(clip):
    """Not after a run, but as it begins."""
    patched, positive, *_ = vary(clip)
    with pytest.raises(ValueError, match=r"has 4 prompts .*has 2 images"):
        sample(patched, positive, conditioning(model(SHALLOW), seed=2), batch=2, **SIZE)


def test_another_prompt_is_left_alone(clip, caplog):
    """And the report says which conditioning is missing."""
    patched, _, latent, *_ = vary(clip)
    other = conditioning(model(SHALLOW), 4, seed=1)
    out = run((patched, other, latent))
    assert torch.equal(out, run((model(SHALLOW), other, latent)))
    assert "connect the node's own CONDITIONING" in caplog.text


def test_a_run_that_forms_no_shape_says_so(clip, caplog):
    """As in img2img with little noise."""
    with caplog.at_level("INFO"):
        run(vary(clip), denoise=0.3)
    assert "No noise level lies between shape_from and shape_until" in caplog.text


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("a cat", r"prompt: .*in braces is none.*a \{basket\} of apples"),
        ("a {cat} and a {dog}", r"in braces is \{cat\}, \{dog\}"),
        ("a {cat} and a {dog", r"in braces is \{cat\}"),
        ("a { }", r"braces are empty"),
        ("two {cat}s", r"\{cat\} is a part of a word"),
    ],
)
def test_an_object_that_cannot_be_read_is_an_error(clip, prompt, message):
    """With an example, and as soon as it is typed."""
    with pytest.raises(ValueError, match=message):
        vary(clip, prompt)
    assert "prompt: " in ShapeVariations.validate_inputs(prompt=prompt)


def test_faults_are_told_before_anything_runs(clip):
    """Connected texts are None, and nothing is known of them yet."""
    assert ShapeVariations.validate_inputs(prompt=PROMPT) is True
    assert ShapeVariations.validate_inputs() is True
    fault = ShapeVariations.validate_inputs(prompt=PROMPT, shape_from=0.5, shape_until=0.2)
    assert fault.startswith("shape_from 0.5 comes after shape_until 0.2")
    with pytest.raises(ValueError, match=r"shape_from 0\.5 comes after shape_until 0\.2"):
        vary(clip, shape_from=0.5, shape_until=0.2)


def test_the_object_is_the_word_in_braces(clip):
    """Of several equal ones the one that is marked; weights stay round it."""
    _, word = ObjectPrompt.read("a cat, a ({cat}:1.3) and a cat").object_in(clip)
    assert (word.text, word.positions) == ("cat", (5,))
    _, phrase = ObjectPrompt.read("a {big  cat} on\na mat").object_in(clip)
    assert (phrase.text, phrase.positions) == ("big cat", (2, 3))


@pytest.mark.parametrize(
    ("prompt", "before"),
    [("一个{篮子}里有苹果", "一个"), ("赤い{猫}と犬", "赤い"), ("มี{แมว}อยู่", "มี"), ("the {cat}'s hat", "the")],
)
def test_an_object_stands_at_its_neighbours_where_a_script_has_no_spaces(clip, prompt, before):
    """A Han, kana or Thai character is a word; and a suffix is one."""
    written = ObjectPrompt.read(prompt)
    tokens, word = written.object_in(clip)
    assert word.positions == tokens.find(written.word).positions
    assert word.positions[0] == tokens.find(before).positions[-1] + 1


def test_an_object_that_is_one_with_its_neighbour_is_refused(clip):
    """As where the encoder's pieces go over its edge: neither is a word of its own."""
    with pytest.raises(ValueError, match=r"^prompt: to this text encoder \{🐱\} is one with"):
        ObjectPrompt.read("🐱 and 🐱{🐱}").object_in(clip)


@pytest.mark.parametrize(
    ("prompt", "places"),
    [
        ("a {locker} #1 in a hall", (2,)),
        ("a locker #2 beside a {locker} #1", (7,)),
        ("a locker and a {locker} #1", (5,)),
    ],
)
def test_a_number_behind_the_object_is_none_of_it(clip, prompt, places):
    """It is text, and no count of the object's places."""
    assert ObjectPrompt.read(prompt).object_in(clip)[1].positions == places


def test_outputs_say_what_was_varied(clip):
    """The proxies to look at and to edit, and a line for each image."""
    *_, latent, proxies, report = vary(clip, proxies=" dog \n\n{owl},\ncat")
    assert proxies == "dog\nowl\ncat"
    assert latent["batch_index"] == [0] * 4
    assert report.splitlines() == [
        "Image 0, the original: a red cat on the stairs",
        "Image 1, shape of dog: a red dog on the stairs",
        "Image 2, shape of owl: a red owl on the stairs",
        "Image 3, shape of cat: a red cat on the stairs (the same prompt: the original)",
    ]
    (patch,) = installed(vary(clip)[0])
    assert (patch.method.shapes.start, patch.method.shapes.end) == (0.14, 0.34)


def test_proxies_are_found_if_none_are_written(clip):
    """`count` of them, in the order of their likeness; given ones all get a row, whatever `count` says."""
    _, positive, latent, proxies, report = vary(clip, proxies=" \n", count=3)
    words = proxies.splitlines()
    assert len(set(words) - {"cat"}) == 3
    assert all(word.isalpha() for word in words)
    assert len(positive[0][0]) == len(latent["samples"]) == 4
    assert f"Found among the encoder's words, by likeness to cat (cosine): {words[0]} " in report
    again = vary(clip, proxies=proxies, count=1)
    assert torch.equal(again[1][0][0], positive[0][0])
    assert "Found" not in again[4]


def test_kept_objects_are_words_of_the_prompt(clip, caplog):
    """Their tokens and the object's reach the method; the own word still gives the original."""
    outputs = vary(clip, keep_objects="stairs,\nred", keep_threshold=0.02, keep_until=1.0)
    (patch,) = installed(outputs[0])
    assert patch.method.kept == Kept((2, 6), (3,), 1.0, 0.02)
    with caplog.at_level("INFO"):
        out = run(outputs)
    assert "Objects were kept at 4 noise levels." in caplog.text
    assert torch.equal(out[3], out[0])
    still = run(vary(clip, keep_objects="stairs", shape_from=0.2, shape_until=0.2))
    assert all(torch.equal(image, out[0]) for image in still)
    assert torch.equal(out[0], run(vary(clip))[0])
    with pytest.raises(ValueError, match=r"keep_objects: 'mat' is not in the prompt.*red, cat, stairs"):
        vary(clip, keep_objects="mat")
    with pytest.raises(ValueError, match=r"keep_objects: 'red cat' is the object in braces"):
        vary(clip, keep_objects="red cat")


def test_words_that_segments_are_labelled_with(clip):
    """The object, what is written, and what else the prompt names; of those the background's."""

    def named(prompt, **settings):
        (patch,) = installed(vary(clip, prompt, **settings)[0])
        found = patch.method.named
        return [word.text for word in found.words], [found.words[n].text for n in found.ground]

    prompt = "a big red {cat} sitting on wooden stairs, a dog, a cat and a dog in the snow"
    assert named(prompt) == (["cat", "stairs", "dog", "cat", "snow"], [])
    given = {"background_words": "wooden stairs, snow", "keep_objects": "dog#2"}
    assert named(prompt, **given) == (
        ["cat", "dog#2", "wooden stairs", "snow", "cat"],
        ["wooden stairs", "snow"],
    )
    (patch,) = installed(vary(clip, segments=7, label_threshold=0.4, seed=3, blend_at=0.6)[0])
    method = patch.method
    assert (method.named.segments, method.named.threshold, method.named.seed) == (7, 0.4, 3)
    assert method.blend_at == 0.6
    (patch,) = installed(vary(clip, keep_background=False)[0])
    assert patch.method.named is None
    with pytest.raises(ValueError, match=r"background_words: 'mat' is not in the prompt"):
        vary(clip, background_words="mat")
    with pytest.raises(ValueError, match=r"background_words: 'cat' is the object in braces"):
        vary(clip, background_words="cat")
