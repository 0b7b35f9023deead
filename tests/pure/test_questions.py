"""What the model answers: gains against a naive version, and what a diagnosis makes of them."""

import pytest
import torch
from attention_control.attention_patches.maps.diagnosis.diagnosis import PromptDiagnosis
from attention_control.attention_patches.maps.diagnosis.homes import helped
from attention_control.attention_patches.maps.diagnosis.questions import Answers, Questions
from attention_control.attention_patches.text.named_things import named_things

from .test_diagnosis import BLUE_DOG, RED_CAT, REGIONS, RIGHT, bound, known, states
from .test_rewording import tokens

PROMPT = "a red cat and a blue dog"
THINGS = (RED_CAT, BLUE_DOG)
WORDS = ["cat", "red", "dog", "blue"]


def test_the_texts_to_ask_with():
    """The prompt, with an object for each thing, with each thing's noun alone, with each attribute lent; a
    noun without attributes lends nothing."""
    read = tokens("a red cat  and a dog")
    asked = Questions.about(read, named_things(read))
    anything, bare = (
        ("a object and a dog", "a red cat and a object"),
        ("a cat and a dog", "a red cat and a dog"),
    )
    assert asked.texts == ("a red cat and a dog", *anything, *bare, "a red cat and a red dog")
    assert (asked.loans, asked.owners) == (((1, 1),), (0, 0, 1))
    alone = Questions.about(tokens("a red cat"), named_things(tokens("a red cat")))
    assert alone.texts == ("a red cat", "a object", "a cat")
    assert alone.read(torch.ones(3, 8, 8), True).there.tolist() == [0]


def test_what_both_have_is_lent_to_neither():
    """One word may be said of two things."""
    read = tokens("the cat and the dog are red")
    assert Questions.about(read, named_things(read, "red cat, red dog")).loans == ()


def windows(differences):
    """The mean of each window, place by place, in float64; at borders they are smaller, none is filled up."""
    height, width = differences.shape
    reach = min(height, width) // 8
    rows = [
        [
            differences[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1].mean()
            for x in range(width)
        ]
        for y in range(height)
    ]
    return torch.tensor(rows, dtype=torch.float64)


def best(differences):
    """The mean of the best window."""
    return float(windows(differences).max())


@pytest.mark.parametrize("size", [(5, 6), (16, 16), (24, 9)])
def test_gains_equal_the_naive_ones(size):
    """Of random errors of a prompt of two things."""
    read = tokens(PROMPT)
    asked = Questions.about(read, named_things(read))
    errors = torch.rand(len(asked.texts), *size, generator=torch.Generator().manual_seed(0)) + 0.5
    answers = asked.read(errors, True)
    own, cat, dog, no_red, no_blue, red_dog, blue_cat = errors.double() / errors[0].double().mean()
    assert answers.there.tolist() == pytest.approx([best(cat - no_red), best(dog - no_blue)], rel=1e-4)
    assert answers.overall.tolist() == pytest.approx(
        [float((cat - no_red).mean()), float((dog - no_blue).mean())], rel=1e-3
    )
    assert torch.allclose(
        answers.places.double(), torch.stack([windows(cat - no_red), windows(dog - no_blue)]), atol=1e-5
    )
    expected = torch.zeros(4, 2)
    there = [(helps >= helps.max() / 2) for helps in (windows(cat - no_red), windows(dog - no_blue))]
    expected[1, 1], expected[3, 0] = (
        windows(own - red_dog)[there[1]].max(),
        windows(own - blue_cat)[there[0]].max(),
    )
    assert not there[1].all() and torch.allclose(answers.lent, expected, rtol=1e-4)


def test_what_a_lent_colour_changes_elsewhere_is_not_the_things():
    """Something that the prompt does not name is red, and a red dog explains it better than a blue one."""
    read = tokens(PROMPT)
    asked = Questions.about(read, named_things(read))
    errors = torch.ones(len(asked.texts), 16, 16)
    errors[2, :4, :4] += 1  # an object where the dog is
    errors[5, 12:, 12:] -= 0.5  # a red dog
    assert asked.read(errors, True).lent[1, 1] == 0
    errors[5, :4, :4] -= 0.3
    assert asked.read(errors, True).lent[1, 1] == pytest.approx(0.3)


def test_of_two_colours_that_are_better_than_a_wrong_one_the_better_one_is_lent():
    """A dog that is blue and called red is likelier green, and likelier still blue; what the lender of the
    blue is besides counts with it."""
    read = tokens("a shaggy blue cat and a red dog and a green car")
    things = named_things(read)
    asked = Questions.about(read, things)
    errors = torch.ones(len(asked.texts), 8, 8)
    gains = {"blue": 0.5, "green": 0.4, "shaggy": 0.2}
    words = [word.text for thing in things for word in thing.words]
    for number, (word, thing) in enumerate(asked.loans):
        if things[thing].noun.text == "dog":
            errors[7 + number] -= gains[words[word]]
    to_the_dog = dict(zip(words, asked.read(errors, True).lent[:, 1].tolist(), strict=True))
    assert to_the_dog == pytest.approx(
        {"cat": 0, "shaggy": 0.2, "blue": 0.5, "dog": 0, "red": 0, "car": 0, "green": 0}
    )


def asked(there=(1.0, 1.0), red=0.0, blue=0.0, given=True, seen=None, overall=(-1.0, -1.0), has=(1.0, 1.0)):
    """The diagnosis of the known picture with these answers: red lent to the dog, blue to the cat. Naming the
    cat helps in the second region, naming the dog in the first."""
    lent = torch.zeros(4, 2)
    lent[1, 1], lent[3, 0] = red, blue
    places = torch.stack([(number == REGIONS).float() for number in (2, 1)])
    numbers = (torch.tensor(each) for each in (there, overall, has))
    answers = Answers(*numbers, places, lent, given)
    maps = known({**RIGHT, **(seen or {})})
    return PromptDiagnosis(segments=4, least_gain=0.2)(maps, THINGS, [answers])[0]


MISSING = {4: {}, 3: {}}  # no place looks for the dog
EXCHANGED = {1: {2: 0.3}, 3: {1: 0.3}}


def test_of_a_given_picture_the_answers_decide():
    """What attention finds is found missing, and what it misses is there, where naming it helps."""
    assert states(asked()) == ["present", "present"] and asked().things[0].gain == 1.0
    assert [thing.answered for thing in asked().things] == [True, True]
    assert states(asked((1.0, 0.19))) == ["present", "neglected"]
    assert states(asked((1.0, 0.19), seen={4: {1: 0.2}})) == ["present", "neglected"]
    found = asked(seen={4: {1: 0.2}})  # as attention sees it, the dog is fused with the cat
    assert states(found) == ["present", "present"]
    masks = found.masks(found.segmentation.clusters)
    assert torch.equal(masks[0], REGIONS == 2) and torch.equal(masks[1], REGIONS == 1)
    assert bound(asked(seen=EXCHANGED)) == {"red": 0, "blue": 1}
    assert bound(asked(red=0.149)) == {"red": 0, "blue": 1}
    assert bound(asked(red=0.151)) == {"red": 1, "blue": 1}


def test_an_attribute_that_helps_nothing_is_nobodys():
    """Of a given picture the model says it, whatever attention does; of its own pictures attention."""
    wrong = {"has": (0.0, 1.0)}
    assert bound(asked(**wrong)) == {"red": None, "blue": 1}
    assert bound(asked(seen={1: {}})) == {"red": 0, "blue": 1}
    assert bound(asked(**wrong, given=False)) == {"red": 0, "blue": 1}
    assert bound(asked(given=False, seen={1: {}})) == {"red": None, "blue": 1}


def test_what_is_denied_takes_no_share():
    """The dog is looked at where the cat is, and more; it is not there, so the cat is not lost in it."""
    left = {"there": (0.1, 0.1), "overall": (0.01, -0.01), "seen": {2: {1: 0.05}, 4: {1: 0.3}}}
    assert states(asked(**left)) == ["present", "neglected"]
    assert states(asked(**left, given=False)) == ["neglected", "neglected"]


def test_what_helps_a_little_everywhere_is_left_to_attention():
    """A wide ground, seen without being named: what attention says of it holds."""
    wide = {"there": (1.0, 0.15), "overall": (1.0, 0.01)}
    found = asked(**wide)
    assert [thing.answered for thing in found.things] == [True, False]
    assert states(found) == ["present", "present"]
    assert [thing.home for thing in found.things] == [int(found.segmentation.clusters[REGIONS == 2][0])] * 2
    assert found.segmentation.labels.count(1) == 0  # its home is the cat's already
    ground = asked(**wide, seen={4: {3: 0.3}, 6: {}})
    assert torch.equal(ground.masks(ground.segmentation.clusters)[1], REGIONS == 3)
    assert ground.segmentation.labels.count(1) == 1
    wide_cat = asked(there=(0.15, 1.0), overall=(0.01, 1.0))  # what is left to attention takes no segment
    assert wide_cat.segmentation.labels.count(0) == 0 and wide_cat.segmentation.labels.count(1) == 1
    assert torch.equal(wide_cat.masks(wide_cat.segmentation.clusters)[0], REGIONS == 1)
    assert states(asked(**wide, seen=MISSING)) == ["present", "neglected"]
    assert states(asked(**wide, given=False)) == ["present", "present"]


def test_of_the_models_own_picture_they_only_add():
    """It finds all likely that it has made: what attention misses stays missing, lent stays lent."""
    own = {"given": False}
    assert states(asked((1.0, 0.19), **own)) == ["present", "neglected"]
    assert states(asked(seen=MISSING, **own)) == ["present", "neglected"]
    assert [thing.answered for thing in asked((1.0, 0.19), **own).things] == [False, True]
    assert states(asked((1.0, 0.0), seen={4: {1: 0.2}}, **own)) == ["present", "fused"]
    assert bound(asked(seen=EXCHANGED, **own)) == {"red": 1, "blue": 0}
    assert bound(asked(red=0.21, **own)) == {"red": 1, "blue": 1}


def test_the_missing_get_nothing_lent():
    """Whatever colour would be likelier on it."""
    assert bound(asked((1.0, 0.0), red=1.0)) == {"red": 0, "blue": None}


def test_where_naming_harms_nothing_is_helped():
    """What a place loses does not count against what another one of the segment gains."""
    places = torch.tensor([[[3.0, -9.0], [0.0, 1.0]]])
    assert helped(places, torch.tensor([[0, 0], [1, 1]]), 2).tolist() == [[1.5, 0.5]]


def test_without_the_model_masks_are_those_of_the_segments():
    """A present thing whose segment is another's has no mask; only in a given picture it shares it."""
    found = PromptDiagnosis(segments=4, present=0.3, fused=0.1)(known({**RIGHT, 4: {1: 0.2}}), THINGS)[0]
    masks = found.masks(found.segmentation.clusters)
    assert states(found) == ["present", "present"] and masks.any((1, 2)).tolist() == [True, False]


def test_unasked_things_have_no_gain():
    """The report says nothing of the model then."""
    found = PromptDiagnosis(segments=4)(known(RIGHT), THINGS)[0]
    assert [thing.gain for thing in found.things] == [None, None]
