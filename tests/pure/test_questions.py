"""What the model answers: gains against a naive version, and what a diagnosis makes of them."""

import pytest
import torch
from attention_control.attention_patches.maps.diagnosis.diagnosis import PromptDiagnosis
from attention_control.attention_patches.maps.diagnosis.questions import Answers, Questions
from attention_control.attention_patches.text.named_things import named_things

from .test_diagnosis import BLUE_DOG, RED_CAT, RIGHT, bound, known, states
from .test_rewording import tokens

PROMPT = "a red cat and a blue dog"
THINGS = (RED_CAT, BLUE_DOG)
WORDS = ["cat", "red", "dog", "blue"]


def test_the_texts_to_ask_with():
    """The prompt, without each thing, with each attribute lent; a noun without attributes lends nothing."""
    read = tokens("a red cat and a dog")
    asked = Questions.about(read, named_things(read))
    assert asked.texts == ("a red cat and a dog", "and a dog", "a red cat", "a red cat and a red dog")
    assert asked.loans == ((1, 1),)
    alone = Questions.about(tokens("a red cat"), named_things(tokens("a red cat")))
    assert alone.texts == ("a red cat", "") and alone.read(torch.ones(2, 8, 8), True).there.tolist() == [0]


@pytest.mark.parametrize("size", [(5, 6), (16, 16), (24, 9)])
def test_gains_equal_the_naive_ones(size):
    """The best window, place by place, in float64; windows at borders are smaller, none is filled up."""
    read = tokens(PROMPT)
    asked = Questions.about(read, named_things(read))
    errors = torch.rand(len(asked.texts), *size, generator=torch.Generator().manual_seed(0)) + 0.5
    reach = min(size) // 8

    def gain(better, worse):
        means = [
            (worse - better)[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
            .double()
            .mean()
            for y in range(size[0])
            for x in range(size[1])
        ]
        return float(max(means) / errors[0].double().mean())

    answers = asked.read(errors, True)
    own, lacking, lending = errors[0], errors[1:3], errors[3:]
    assert answers.there.tolist() == pytest.approx([gain(own, text) for text in lacking], rel=1e-4)
    expected = torch.zeros(4, 2)
    expected[1, 1], expected[3, 0] = (gain(text, own) for text in lending)
    assert torch.allclose(answers.lent, expected, rtol=1e-4)


def asked(there=(1.0, 1.0), red=0.0, blue=0.0, given=True, seen=None):
    """The diagnosis of the known picture with these answers: red lent to the dog, blue to the cat."""
    lent = torch.zeros(4, 2)
    lent[1, 1], lent[3, 0] = red, blue
    answers = Answers(torch.tensor(there), lent, given)
    maps = known({**RIGHT, **(seen or {})})
    return PromptDiagnosis(segments=4, least_gain=0.1)(maps, THINGS, [answers])[0]


MISSING = {4: {}, 3: {}}  # no place looks for the dog
EXCHANGED = {1: {2: 0.3}, 3: {1: 0.3}}


def test_of_a_given_picture_the_answers_decide():
    """What attention finds is found missing, and what it misses is there; its mask is where it is sought."""
    assert states(asked()) == ["present", "present"] and asked().things[0].gain == 1.0
    assert states(asked((1.0, 0.09))) == ["present", "neglected"]
    found = asked(seen={4: {1: 0.2}})  # as attention sees it, the dog is fused with the cat
    assert states(found) == ["present", "present"]
    masks = found.masks(found.segmentation.clusters)
    assert masks.any((1, 2)).all()
    assert bound(asked(seen=EXCHANGED)) == {"red": 0, "blue": 1}
    assert bound(asked(red=0.19)) == {"red": 0, "blue": 1}
    assert bound(asked(red=0.21)) == {"red": 1, "blue": 1}


def test_of_the_models_own_picture_they_only_add():
    """It finds all likely that it has made: what attention misses stays missing, lent stays lent."""
    own = {"given": False}
    assert states(asked((1.0, 0.09), **own)) == ["present", "neglected"]
    assert states(asked(seen=MISSING, **own)) == ["present", "neglected"]
    assert states(asked((1.0, 0.0), seen={4: {1: 0.2}}, **own)) == ["present", "fused"]
    assert bound(asked(seen=EXCHANGED, **own)) == {"red": 1, "blue": 0}
    assert bound(asked(red=0.21, **own)) == {"red": 1, "blue": 1}


def test_the_missing_get_nothing_lent():
    """Whatever colour would be likelier on it."""
    assert bound(asked((1.0, 0.0), red=1.0)) == {"red": 0, "blue": None}


def test_unasked_things_have_no_gain():
    """The report says nothing of the model then."""
    found = PromptDiagnosis(segments=4)(known(RIGHT), THINGS)[0]
    assert [thing.gain for thing in found.things] == [None, None]
