"""Nouns and attributes of a prompt, found without a language model."""

import pytest
from attention_control.attention_patches.text.named_things import named_things
from attention_control.attention_patches.text.words import PromptTokens, Word, read_words


def tokens(prompt):
    """A prompt with one token a word, the first at position 1."""
    pieces = [Word(f"{word} ", (at,)) for at, word in enumerate(prompt.replace(",", " ,").split(), 1)]
    return PromptTokens(prompt, read_words(prompt, pieces))


def texts(prompt, listed=""):
    """What is named, as text."""
    return [thing.text for thing in named_things(tokens(prompt), listed)]


@pytest.mark.parametrize(
    ("prompt", "things"),
    [
        ("a red cat and a blue dog on the stairs", ["red cat", "blue dog", "stairs"]),
        ("cat", ["cat"]),
        ("a big old wooden house, clay style", ["big old wooden house", "clay style"]),
        ("a cat wearing black sunglasses", ["cat", "black sunglasses"]),
        ("three orange cats and two gray cats", ["orange cats", "gray cats"]),
    ],
)
def test_runs_of_content_words_are_things(prompt, things):
    """Function words, punctuation and verbs that join stand between them."""
    assert texts(prompt) == things


def test_the_last_word_is_the_noun():
    """Those before it are its attributes, each with its own tokens."""
    (cat, dog) = named_things(tokens("a red cat and a shaggy blue dog"))
    assert (cat.noun, cat.attributes) == (Word("cat", (3,)), (Word("red", (2,)),))
    assert dog.noun.positions == (8,) and [word.positions for word in dog.attributes] == [(6,), (7,)]


def test_a_list_overrides_what_is_read():
    """Lines or commas; attributes may stand elsewhere in the prompt; `#` counts; phrases keep their place."""
    assert texts("the cat is red, the dog is not", "red cat\ndog") == ["red cat", "dog"]
    prompt = tokens("a red cat and a blue cat")
    (second,) = named_things(prompt, "cat#2")
    (blue,) = named_things(prompt, "blue cat")
    assert second.noun.positions == blue.noun.positions == (7,)


@pytest.mark.parametrize(
    ("prompt", "listed", "message"),
    [
        ("a cat", "dog", "'dog' is not in the prompt"),
        ("of the", "", "names nothing"),
        ("", "", "names nothing"),
    ],
)
def test_what_cannot_be_found_is_named(prompt, listed, message):
    """A word that the prompt lacks; a prompt that names nothing."""
    with pytest.raises(ValueError, match=message):
        texts(prompt, listed)
