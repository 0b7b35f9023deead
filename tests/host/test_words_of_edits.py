"""What is written of single words in PromptToPrompt: their numbers, and which tokens these reach."""

import pytest
import torch
from attention_control.nodes.edit.prompts.word_numbers import word_numbers

from .editing import change, run, spec


@pytest.mark.parametrize(
    "text",
    [
        "smiling: 5, pink: -1.5",
        "smiling 5\npink -1.5",
        "(smiling:5)\n(pink:-1.5)",
        "smiling=5; pink = -1.5",
        "smiling x5, 'pink' : -1.5,",
        "smiling x 5, pink x -1.5",  # as the report has them
        "smiling：5，pink：-1.5",
        "smiling * 5 , pink \u00d7 -1.5",
    ],
)
def test_numbers_of_words_as_people_write_them(text):
    """By lines, commas or semicolons, with colons, equal signs, brackets, or nothing."""
    assert word_numbers(text, "reweight") == {"smiling": 5.0, "pink": -1.5}


def test_phrases_and_numbers_in_words():
    """The last number is the factor."""
    assert word_numbers("big red cat 2, 1girl .5, cat#2: 3, size 5 x 2", "reweight") == {
        "big red cat": 2.0,
        "1girl": 0.5,
        "cat#2": 3.0,
        "size 5": 2.0,
    }


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


NEW = "without effect, as no edit takes the map of it from the source"


@pytest.mark.parametrize(
    ("edits", "ends", "reweight", "told"),
    [
        ("a big red cat", "big 0.2", "", f"cross_until_words: big {NEW}"),  # refined: its own map anyway
        ("a big red cat", "red 0.2", "", None),
        ("a big red cat\na big cat", "big 0.2", "", None),  # swapped with red in the second
        ("a big red cat", "big 0.2", "big 3", None),  # the end of its factor
        ("a red cat", "red 0.2", "", f"cross_until_words: red {NEW}"),  # as the source
        ("a big red fat cat", "fat 0.2, red 0.1, big 0", "", f"cross_until_words: fat, big {NEW}"),
        ("a blue cat", "blue 0", "", None),  # from the very beginning its own
    ],
)
def test_an_end_that_ends_nothing_is_told(clip, edits, ends, reweight, told):
    """As of a word that refinement adds: in the node's report and in the run's."""
    outputs = change(clip, "a red cat", edits, cross_until_words=ends, reweight=reweight)
    assert outputs[3].splitlines()[-1].startswith(told or "Image")
    assert spec(outputs).note.startswith(told or "") and bool(spec(outputs).note) == bool(told)


IDLE = "without effect, its end is 0"


@pytest.mark.parametrize(
    ("edits", "settings", "told"),
    [
        ("a big red cat", {"cross_until_words": "big: 0"}, "refine (new: big); big x 3 {}"),
        ("a big red cat", {"cross_until": 0.0}, "refine (new: big) {}; big x 3 {}"),
        ("a big cat", {"cross_until": 0.0}, "swap (red -> big) {}; big x 3 {}"),
        ("a big dog", {"cross_until_words": "big: 0"}, "swap (red -> big {}, cat -> dog); big x 3 {}"),
        ("a big cat", {"cross_until": 0.0, "cross_until_words": "big: 0.1"}, "swap (red -> big); big x 3"),
    ],
)
def test_what_ends_before_it_begins_is_told(clip, edits, settings, told):
    """Where a token's end is 0, its factor and the map that it would take do nothing."""
    report = change(clip, "a red cat", edits, reweight="big 3", **settings)[3]
    assert report.splitlines()[1] == f"Image 1, {told.replace('{}', IDLE)}: {edits}"
