"""BoundedAttention as a user meets it: boxes, masks, errors, report."""

import re

import pytest
import torch
from attention_control.nodes.host.run.install import installed
from attention_control.nodes.layout.bounded_attention_node import BoundedAttention

from .node_calls import call_node
from .specimen import SHALLOW, model
from .tiny import assert_same_image, conditioning, sample

PROMPT = "a ginger kitten and a (gray:1.2) puppy on the stairs"
BOXES = "0 0 250 512: ginger kitten\n256 128 256 384: gray puppy"
LEFT = {"x": 0, "y": 0, "width": 250, "height": 512}
RIGHT = {"x": 256, "y": 128, "width": 256, "height": 384}


def bound(clip, prompt=PROMPT, **settings):
    """The node's outputs, as the server calls it."""
    return call_node(BoundedAttention, model(SHALLOW), clip, prompt, **{"guidance_until": 0.0, **settings})


def layout(clip, **settings):
    """What became of the boxes."""
    [patched] = installed(bound(clip, **settings)[0])
    return patched.method.layout


def places(subjects):
    return [
        (s.phrase, s.token_positions, [tuple(round(x, 3) for x in box) for box in s.boxes]) for s in subjects
    ]


EXPECTED = [
    ("ginger kitten", (2, 3), [(0.0, 0.0, 0.488, 1.0)]),
    ("gray puppy", (6, 7), [(0.5, 0.25, 1.0, 1.0)]),
]


@pytest.mark.parametrize(
    "given",
    [
        {"boxes": BOXES},
        {"bboxes": [[LEFT, RIGHT]], "subjects": "ginger kitten\ngray puppy"},
        {"bboxes": [LEFT, RIGHT], "subjects": "a ginger kitten, a gray puppy"},
        {
            "elements": [
                {"bbox": [0, 0, 1000, 488.28125], "desc": "ginger kitten"},
                {"bbox": [250, 500, 1000, 1000], "desc": "gray puppy"},
            ]
        },
        {
            "bboxes": [[LEFT, RIGHT]],
            "elements": [
                {"bbox": [0, 0, 1000, 488], "desc": "ginger kitten"},
                {"bbox": [250, 500, 1000, 1000], "desc": "gray puppy"},
            ],
        },
    ],
)
def test_every_way_to_give_boxes(clip, given):
    """Text, boxes with phrases, elements with descriptions: the same layout, at the real tokens."""
    found = layout(clip, **given)
    [subjects] = (places(found.images[0]),)
    assert [(p.removeprefix("a "), t, b) for p, t, b in subjects] == EXPECTED
    assert found.fillers == (1, 4, 5, 8, 9) and found.ends == (11,)


@pytest.mark.parametrize("written", ["ginger, kitten gray", "ginger、kitten，gray", "ginger،kitten\ngray,"])
def test_more_filler_words(clip, written):
    """A list of words with spaces, lines or the commas of any keyboard between."""
    found = layout(clip, boxes="256 128 256 384: puppy", more_filler_words=written)
    assert found.fillers == (1, 2, 3, 4, 5, 6, 8, 9)


def test_boxes_of_each_image(clip):
    """Lists for each image, with the same phrases, or with phrases for all boxes one after the other."""
    same = layout(clip, bboxes=[[LEFT], [RIGHT]], subjects="kitten")
    assert [places(s) for s in same.images] == [
        [("kitten", (3,), EXPECTED[0][2])],
        [("kitten", (3,), EXPECTED[1][2])],
    ]
    other = layout(clip, bboxes=[[LEFT], [LEFT, RIGHT]], subjects="kitten, kitten, puppy")
    assert [[s.phrase for s in subjects] for subjects in other.images] == [["kitten"], ["kitten", "puppy"]]


def test_masks_instead_of_boxes(clip):
    """One for each subject, or for each subject of each image."""
    masks = torch.zeros(4, 16, 16)
    for number in range(4):
        masks[number, 4 * number : 4 * number + 4] = 1
    found = layout(clip, masks=masks, subjects="kitten, puppy")
    assert [[s.phrase for s in subjects] for subjects in found.images] == [["kitten", "puppy"]] * 2
    assert found.masks((4, 1), 1).tolist() == [[0, 0, 1, 0], [0, 0, 0, 1]]


def test_repeated_words(clip):
    """`cat#2` is the second cat; without a number it is both."""
    found = layout(clip, prompt="a cat and a cat", boxes="0 0 9 9: cat#1\n9 9 9 9: cat#2\n99 99 9 9: cat")
    assert [s.token_positions for s in found.images[0]] == [(2,), (5,), (2, 5)]


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"bboxes": [LEFT, RIGHT], "subjects": "kitten"}, "subjects: 1 phrases .* but 2 boxes. Write one"),
        ({"bboxes": [LEFT]}, "bboxes: box 1 comes without a description, and `subjects` is empty"),
        (
            {"bboxes": [LEFT], "elements": [{"bbox": [0, 0, 9, 9], "desc": " "}]},
            "elements: box 1 comes without a description",
        ),
        (
            {"elements": [{"bbox": [0, 0, 9, 9], "desc": "dog"}]},
            "elements: box 1: 'dog' is not in the prompt",
        ),
        ({"bboxes": [LEFT], "subjects": "dog"}, "subjects: 'dog' is not in the prompt"),
        ({"subjects": "kitten"}, "boxes: there are 1 subjects, but neither boxes nor masks"),
        ({"boxes": "0 0 9 9: dog"}, "boxes: box 1: 'dog' is not in the prompt. It has: ginger, kitten"),
        ({"boxes": "0 0 600 9: kitten"}, "boxes: box 1 goes .* beyond the canvas of 512 x 512"),
        ({"boxes": BOXES, "bboxes": [LEFT]}, "boxes: boxes are connected as well"),
        ({"boxes": BOXES, "masks": torch.ones(1, 4, 4)}, "masks: there are boxes as well"),
        ({"masks": torch.ones(3, 4, 4), "subjects": "kitten, puppy"}, "masks: 3 masks, but 2 subjects"),
        ({"masks": torch.zeros(1, 4, 4), "subjects": "kitten"}, "masks: number 1 is empty"),
        (
            {"bboxes": [LEFT], "elements": [{"bbox": [0, 0, 9, 9]}] * 2},
            "elements: 2 elements, but bboxes has 1",
        ),
    ],
)
def test_what_does_not_fit_is_refused(clip, given, complaint):
    """With the name of the input, what was given, and what to do."""
    with pytest.raises(ValueError, match=complaint):
        bound(clip, **given)


def run(patched, positive, **how):
    return sample(patched, positive, conditioning(model(SHALLOW), seed=2), **{"batch": 2, **how})


def test_without_boxes_it_is_off(clip):
    """The plain picture, to the bit, with the prompt as the host encodes it."""
    patched, encoded, text = bound(clip)
    expected = clip.encode_from_tokens_scheduled(clip.tokenize(PROMPT))
    assert torch.equal(encoded[0][0], expected[0][0])
    assert torch.equal(run(patched, encoded), run(model(SHALLOW), encoded))
    assert text == "There are no boxes: the node is off."


def test_the_run_is_reported(clip, report):
    """When masks were found; and beforehand which words are which."""
    how = {"steps": 10, "height": 16, "width": 16, "batch": 1}
    patched, encoded, text = bound(clip, boxes=BOXES)
    run(patched, encoded, **how)
    run(bound(clip, boxes=BOXES, refine_from=1.0)[0], encoded, **how)
    assert "4 of 4 layers, 10 of 10 noise levels" in report()[0][1]
    found = "Masks found anew at 0.33, 0.44, 0.56, 0.67, 0.78, 0.89, 1.00 of the schedule."  # ninths
    assert found in report()[0][1] and "anew" not in report()[1][1]
    assert text.splitlines() == [
        "1 ginger kitten: ginger kitten (token 2, 3), 0% to 49% across and 0% to 100% down",
        "2 gray puppy: gray puppy (token 6, 7), 50% to 100% across and 25% to 100% down",
        "Filler words: a, and, on, the.",
    ]


def test_found_masks_take_the_place_of_boxes(clip):
    """From overlapping boxes to outlines that do not overlap: another picture, the same twice."""
    overlapping = "0 0 400 512: kitten\n112 0 400 512: puppy"
    how = {"steps": 4, "height": 16, "width": 16, "batch": 1}
    refined, encoded, _ = bound(clip, boxes=overlapping)
    fixed = bound(clip, boxes=overlapping, refine_from=1.0)[0]
    out = run(refined, encoded, **how)
    assert not torch.allclose(out, run(fixed, encoded, **how), rtol=0.01)
    assert torch.equal(out, run(refined, encoded, **how))


def test_samplers_that_call_twice_in_a_step(clip, report):
    """Masks are found once in each due part of the schedule, however often the model is called there."""
    refined, encoded, _ = bound(clip, boxes=BOXES, refine_from=0.5, refine_every=0.25)
    run(refined, encoded, steps=4, batch=1, sampler="heun")
    run(refined, encoded, steps=4, batch=1, sampler="dpmpp_2s_ancestral")
    for _, line in report():
        times = [float(x) for x in re.search(r"anew at (.*) of the schedule", line)[1].split(", ")]
        assert len({int((time - 0.5 + 1e-3) / 0.25) for time in times}) == len(times) >= 2


def test_another_prompts_conditioning_is_left_alone(clip, report):
    """The picture is the plain one, and the report names the CONDITIONING to connect."""
    patched, _, _ = bound(clip, boxes=BOXES)
    short = conditioning(model(SHALLOW), tokens=5)
    assert torch.equal(run(patched, short), run(model(SHALLOW), short))
    assert ("WARNING", True) in [(level, "own CONDITIONING" in line) for level, line in report()]


def test_a_text_of_its_own_that_is_too_short_is_refused(clip):
    """Cut off by another node, and so without the words of the boxes."""
    patched, encoded, _ = bound(clip, boxes=BOXES)
    short = [[text[:, :5], more] for text, more in encoded]
    with pytest.raises(ValueError, match=r"has 5 tokens, but a subject is token 7 .* own CONDITIONING"):
        run(patched, short)


def test_one_box_over_all_bounds_only_fillers(clip):
    """Without fillers the picture is the plain one but for rounding."""
    patched, encoded, _ = bound(clip, prompt="ginger kitten", boxes="0 0 512 512: kitten", refine_from=1.0)
    assert_same_image(run(patched, encoded), run(model(SHALLOW), encoded))
    patched, encoded, _ = bound(clip, prompt="the kitten", boxes="0 0 512 512: kitten", refine_from=1.0)
    assert not torch.allclose(run(patched, encoded), run(model(SHALLOW), encoded), rtol=0.01)


def test_boxes_for_another_number_of_images_are_refused(clip):
    """One layout, or one for each image of the batch."""
    patched, encoded, _ = bound(clip, bboxes=[[LEFT]] * 3, subjects="kitten")
    with pytest.raises(ValueError, match="boxes for 3 images, but the latent batch has 2"):
        run(patched, encoded)
