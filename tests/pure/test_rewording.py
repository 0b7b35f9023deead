"""Prompts with another word for a thing, and with an attribute lent to another."""

import unicodedata

import pytest
from attention_control.attention_patches.text.named_things import named_things
from attention_control.attention_patches.text.rewording import bare, instead, lent, plain
from attention_control.attention_patches.text.words import PromptTokens, Word, word_places


def tokens(prompt, spoken=None):
    """The prompt's words, one token each; weights in brackets, as the host takes them out, are no words."""
    spoken = spoken or prompt.replace("(", " ").replace(")", " ").replace(":1.2", " ").replace(
        ":2", " "
    ).replace("embedding:", " ")
    texts = [spoken[place] for place in word_places(spoken)]
    return PromptTokens(prompt, tuple(Word(text, (at,)) for at, text in enumerate(texts, 1)))


@pytest.mark.parametrize(
    ("prompt", "number", "other"),
    [
        ("a red cat and a blue dog in the snow", 0, "a X and a blue dog in the snow"),
        ("a red cat and a blue dog in the snow", 1, "a red cat and a X in the snow"),
        ("two Red  Cats,\na blue dog", 1, "two Red Cats, a X"),
        ("a (red cat:1.2) and a dog", 0, "a ( X:1.2) and a dog"),
        ("a (red cat:1.2) 2 blue dogs", 1, "a (red cat:1.2) 2 X"),
        ("a (red cat:2) 2 blue dogs", 1, "a (red cat:2) 2 X"),
        ("a cat, a catalogue and a cat flap", 1, "a cat, a X and a cat flap"),
        ("a bed and an embedding:bed on a mat", 1, "a bed and an X on a mat"),
    ],
)
def test_another_word_for_a_thing(prompt, number, other):
    """Its attributes go; all else stays, weights too, with single spaces."""
    read = tokens(prompt)
    assert instead(read, named_things(read)[number], "X") == other
    assert plain(read) == " ".join(prompt.split())


def test_what_the_encoder_drops_is_no_word():
    """An embedding whose file is missing, and one that the encoder reads as text; a weight that it reads."""
    missing = tokens("a dog, embedding:catgirl, a cat", "a dog, , a cat")
    assert instead(missing, named_things(missing)[1], "X") == "a dog, embedding:catgirl, a X"
    read = tokens("a dog, embedding:bad, a cat", "a dog, embedding:bad, a cat".replace(":", " : "))
    assert instead(read, named_things(read, "cat")[0], "X") == "a dog, embedding:bad, a X"
    assert instead(read, named_things(read, "bad")[0], "X") == "a dog, X, a cat"
    weight = tokens("a (cat:1) and a red hat, 1 dog", "a ( cat:1) and a red hat, 1 dog")
    assert instead(weight, named_things(weight, "hat")[0], "X") == "a (cat:1) and a red X, 1 dog"


def test_a_word_in_other_letters_is_not_looked_for_elsewhere():
    """The next one is, unless it is a mere sign."""
    read = tokens("a café and a dog, a cafe", "a cafe and a dog, a cafe")
    first, dog, second = named_things(read)
    with pytest.raises(ValueError, match="reads 'cafe'"):
        instead(read, first, "X")
    assert instead(read, dog, "X") == "a café and a X, a cafe"
    assert instead(read, second, "X") == "a café and a dog, a X"
    signs = tokens("a café and a dog!", "a cafe! and a dog!")
    assert instead(signs, named_things(signs, "dog")[0], "X") == "a café and a X!"


def test_a_noun_of_several_words_is_one():
    """As a list may have it, also where no spaces are."""
    read = tokens("a t-shirt that is red and a hat")
    assert instead(read, named_things(read, "red t-shirt, hat")[0], "X") == "a X that is and a hat"


def test_a_thing_that_stands_twice_goes_twice():
    """A list names it once, the prompt twice."""
    read = tokens("a cat and a dog, a cat on a mat")
    assert instead(read, named_things(read, "cat")[0], "X") == "a X and a dog, a X on a mat"
    assert instead(read, named_things(read, "cat#2")[0], "X") == "a cat and a dog, a X on a mat"


def test_a_thing_without_its_attributes():
    """Its noun stays, and so does all else."""
    read = tokens("a shaggy (red cat:1.2) and a blue dog")
    cat, dog = named_things(read)
    assert bare(read, cat) == "a ( cat:1.2) and a blue dog"
    assert bare(read, dog) == "a shaggy (red cat:1.2) and a dog"
    grouped = tokens("a (red:1.2) cat")
    assert bare(grouped, named_things(grouped)[0]) == "a cat"


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


def test_an_attribute_lent_to_what_stands_twice_stands_once():
    """Before the first."""
    read = tokens("a red dog and a cat, a cat on a mat")
    dog, cat = named_things(read, "red dog, cat")
    assert lent(read, dog.attributes[0], cat) == "a red dog and a red cat, a cat on a mat"


@pytest.mark.parametrize(
    ("prompt", "spoken"),
    [
        ("a café and a dog", "a cafe and a dog"),
        ("saber \\(fate \\(x\\)\\), a dog", "saber (fate (x)), a dog"),
    ],
)
def test_letters_that_the_encoder_changes(prompt, spoken):
    """Only where the word itself is asked about; accents may be written in two ways."""
    read = tokens(prompt, spoken)
    first, *_, dog = named_things(read)
    assert instead(read, dog, "X") == prompt.replace("dog", "X")
    if first.text == "cafe":
        with pytest.raises(ValueError, match="reads 'cafe', which does not stand there so"):
            instead(read, first, "X")
    split = tokens(unicodedata.normalize("NFD", "a café"), "a café")
    assert instead(split, named_things(split)[0], "X") == "a X"
