"""Prompts without a thing, and with an attribute lent to another."""

import pytest
from attention_control.attention_patches.text.named_things import named_things
from attention_control.attention_patches.text.rewording import bare, lent, without
from attention_control.attention_patches.text.words import PromptTokens, Word, word_places


def tokens(prompt, spoken=None):
    """The prompt's words, one token each; weights in brackets, as the host takes them out, are no words."""
    spoken = spoken or prompt.replace("(", " ").replace(")", " ").replace(":1.2", " ")
    texts = [spoken[place] for place in word_places(spoken)]
    return PromptTokens(prompt, tuple(Word(text, (at,)) for at, text in enumerate(texts, 1)))


@pytest.mark.parametrize(
    ("prompt", "number", "left"),
    [
        ("a red cat and a blue dog in the snow", 0, "and a blue dog in the snow"),
        ("a red cat and a blue dog in the snow", 1, "a red cat in the snow"),
        ("a red cat and a blue dog in the snow", 2, "a red cat and a blue dog"),
        ("two Red  Cats,\na blue dog", 1, "two Red Cats,"),
        ("a (red cat:1.2) and a dog", 0, "and a dog"),
        ("a (red cat) and a dog", 0, "and a dog"),
        ("a cat, a catalogue and a cat flap", 1, "a cat, and a cat flap"),
        ("a cat", 0, ""),
    ],
)
def test_without_a_thing(prompt, number, left):
    """Its attributes and the fillers before it go too; all else stays, with the brackets of other things."""
    read = tokens(prompt)
    assert without(read, named_things(read)[number]) == left


def test_a_thing_that_stands_twice_goes_twice():
    """A list names it once, the prompt twice."""
    read = tokens("a cat and a dog, a cat on a mat")
    assert without(read, named_things(read, "cat")[0]) == "and a dog, on a mat"
    assert without(read, named_things(read, "cat#2")[0]) == "a cat and a dog, on a mat"


def test_a_thing_without_its_attributes():
    """Its noun stays, and so does all else."""
    read = tokens("a shaggy (red cat:1.2) and a blue dog")
    cat, dog = named_things(read)
    assert bare(read, cat) == "a ( cat:1.2) and a blue dog"
    assert bare(read, dog) == "a shaggy (red cat:1.2) and a dog"


@pytest.mark.parametrize(
    ("prompt", "of", "to", "text"),
    [
        ("a red cat and a blue dog", 0, 1, "a red cat and a red dog"),
        ("a red cat and a blue dog", 1, 0, "a blue cat and a blue dog"),
        ("a shaggy red cat and a dog", 0, 1, "a shaggy red cat and a shaggy dog"),
        ("a dog and a (shaggy red cat:1.2)", 1, 0, "a shaggy dog and a (shaggy red cat:1.2)"),
        ("a blue dog and a (shaggy red cat:1.2)", 0, 1, "a blue dog and a ( blue cat:1.2)"),
    ],
)
def test_an_attribute_lent(prompt, of, to, text):
    """The other thing has it in place of its own; its owner keeps it."""
    read = tokens(prompt)
    things = named_things(read)
    assert lent(read, things[of].attributes[0], things[to]) == text


def test_letters_that_the_encoder_changes_are_told():
    """Nothing is cut where it is not known where the words stand."""
    read = tokens("a café and a dog", "a cafe and a dog")
    with pytest.raises(ValueError, match="reads 'cafe', which does not stand there so"):
        without(read, named_things(read)[1])
