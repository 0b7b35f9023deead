"""Captions say nothing that is not true of their scene."""

import re
from collections import Counter
from functools import cache

import numpy as np
import pytest
from attention_control.demo_model.training.text import known_words
from attention_control.demo_model.world import STYLES, SUBJECTS, caption, sample_crowd
from attention_control.demo_model.world.vocabulary import (
    EVERY_BACKGROUND,
    EVERY_COLOUR,
    NUMBERS,
    SYNONYMS,
    plural,
)

NOUNS = {
    form: noun
    for noun in SUBJECTS
    for word in (noun, SYNONYMS.get(noun, noun))
    for form in (word, plural(word))
}
COLOUR_WORDS = {word: colour for colour in EVERY_COLOUR for word in (colour, SYNONYMS.get(colour, colour))}
COUNTS = {"a": 1, "an": 1} | {n: i for i, n in enumerate(NUMBERS)} | {str(i): i for i in range(1, 6)}


@cache
def pair(seed):
    """A scene of one to five subjects, and a caption of it."""
    rng = np.random.default_rng(seed)
    scene = sample_crowd(rng, 128, 128, 1 + seed % 5)
    return scene, caption(scene, rng)


def pairs(number=300):
    """So many of them."""
    return [pair(seed) for seed in range(number)]


def parse(text):
    """Read a caption back with a reader of its own: groups, style (or None), background (or None).

    A group is (count, colour, noun, colour of its sunglasses); what is not named is None, sunglasses of a
    colour that is not named are "some".
    """
    background = next((name for name, phrase in EVERY_BACKGROUND.items() if phrase in text), None)
    if background:
        text = text.replace(f" {EVERY_BACKGROUND[background]}", "")
    words = re.findall(r"[a-z]+|\d", text)
    style = next((word for word in words if word in STYLES), None)
    groups, counts, colours, worn = [], [], [], False
    for word in words:
        if word in COUNTS:
            counts.append(COUNTS[word])
        elif word in COLOUR_WORDS:
            colours.append(COLOUR_WORDS[word])
        elif word in ("wearing", "with"):
            worn = True
        elif word == "sunglasses":
            assert worn
            groups[-1] = (*groups[-1][:3], colours.pop() if colours else "some")
            worn = False
        elif word in NOUNS:
            colours = colours or [None] * len(counts)
            groups += [(n, c, NOUNS[word], None) for n, c in zip(counts, colours, strict=True)]
            counts, colours = [], []
    return groups, style, background


def worn_by(scene, noun, colour):
    """The colours of the sunglasses of the subjects of a noun, in one colour or (None) in any."""
    return {s.wears for s in scene.subjects if s.noun == noun and colour in (None, s.colour)}


@pytest.mark.parametrize(
    ("scene", "text"), pairs(60), ids=lambda value: value if isinstance(value, str) else ""
)
def test_captions_match_the_ground_truth(scene, text):
    """Numbers, nouns, and every colour, style and background that is named are those of the scene."""
    groups, style, background = parse(text)
    assert style in (None, scene.style)
    assert background in (None, scene.background)
    named = all(colour is not None for _, colour, _, _ in groups)
    truth = Counter((s.colour if named else None, s.noun) for s in scene.subjects)
    assert Counter({(colour, noun): number for number, colour, noun, _ in groups}) == truth
    assert len(groups) == len(truth)
    for _, colour, noun, glasses in groups:
        wears = worn_by(scene, noun, colour)
        assert glasses in ({None} if "" in wears or len(wears) > 1 else {*wears, "some"})


def test_up_to_five_kinds_stand_in_one_picture():
    """Of the scenes of three and more subjects many have as many kinds, and many have but one."""
    kinds = [(len(scene.subjects), len(scene.groups())) for scene, _ in pairs() if len(scene.subjects) > 2]
    assert {number for number, _ in kinds} == {3, 4, 5}
    for wanted in (lambda n, k: n == k, lambda n, k: k == 1, lambda n, k: 1 < k < n):
        assert 0.1 < np.mean([wanted(n, k) for n, k in kinds]) < 0.8


def test_sunglasses_are_worn_and_told():
    """Some faces wear them, and then the caption says so, now and then with a colour."""
    worn = [text for scene, text in pairs() if len(scene.groups()) == 1 and scene.subjects[0].wears]
    assert len(worn) >= 3 and all("sunglasses" in text for text in worn)


def test_attributes_are_left_out_now_and_then():
    """Style, background and colour are each named in many captions and missing in many."""
    read = [parse(text) for _, text in pairs()]
    for named in (
        [style is not None for _, style, _ in read],
        [background is not None for _, _, background in read],
        [groups[0][1] is not None for groups, _, _ in read],
    ):
        assert 0.1 < np.mean(named) < 0.95


def test_a_style_is_mostly_a_suffix():
    """`PROMPT, STYLE style` is what style-aligned prompts use, so most captions with a style have it."""
    with_style = [text for _, text in pairs() if any(style in text.split() for style in STYLES)]
    suffixed = [text for text in with_style if re.search(rf", ({'|'.join(STYLES)})( style)?$", text)]
    assert len(suffixed) > 0.5 * len(with_style)


def test_every_word_of_a_caption_is_known_to_training():
    """The trained rows of the text encoder cover all that captions can say."""
    said = {word for _, text in pairs() for word in re.findall(r"[a-z]+|[0-9]|,", text)}
    assert said <= set(known_words())
