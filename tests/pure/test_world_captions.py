"""Captions say nothing that is not true of their scene."""

import re

import numpy as np
import pytest
from attention_control.demo_model.training.text import known_words
from attention_control.demo_model.world import BACKGROUNDS, COLOURS, STYLES, SUBJECTS, caption, sample_scene
from attention_control.demo_model.world.vocabulary import NUMBERS, SYNONYMS, plural

NOUNS = {
    form: noun
    for noun in SUBJECTS
    for word in (noun, SYNONYMS.get(noun, noun))
    for form in (word, plural(word))
}
COLOUR_WORDS = {word: colour for colour in COLOURS for word in (colour, SYNONYMS.get(colour, colour))}
COUNTS = {"a": 1, "an": 1} | {n: i for i, n in enumerate(NUMBERS)} | {str(i): i for i in range(1, 6)}


def pairs(number=300):
    """Scenes of one to five subjects, each with one caption."""
    for seed in range(number):
        rng = np.random.default_rng(seed)
        scene = sample_scene(rng, 128, 128, 1 + seed % 5)
        yield scene, caption(scene, rng)


def parse(text):
    """Read a caption back with a reader of its own: groups, style (or None), background (or None)."""
    background = next((name for name, phrase in BACKGROUNDS.items() if phrase in text), None)
    if background:
        text = text.replace(f" {BACKGROUNDS[background]}", "")
    words = re.findall(r"[a-z]+|\d", text)
    style = next((word for word in words if word in STYLES), None)
    groups, counts, colours = [], [], []
    for word in words:
        if word in COUNTS:
            counts.append(COUNTS[word])
        elif word in COLOUR_WORDS:
            colours.append(COLOUR_WORDS[word])
        elif word in NOUNS:
            colours = colours or [None] * len(counts)
            groups += [(n, c, NOUNS[word]) for n, c in zip(counts, colours, strict=True)]
            counts, colours = [], []
    return groups, style, background


@pytest.mark.parametrize(
    ("scene", "text"), list(pairs(60)), ids=lambda value: value if isinstance(value, str) else ""
)
def test_captions_match_the_ground_truth(scene, text):
    """Numbers, nouns, and every colour, style and background that is named are those of the scene."""
    groups, style, background = parse(text)
    assert style in (None, scene.style)
    assert background in (None, scene.background)
    truth = scene.groups()
    named = [group for group in groups if group[1] is not None]
    assert sorted((n, noun) for n, _, noun in groups) == sorted((n, noun) for n, _, noun in truth)
    assert not named or sorted(named) == sorted(truth)


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
