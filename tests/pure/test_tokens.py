"""Words of a prompt from the pieces of an encoder: spelling, phrases, content words."""

import re

import pytest
from attention_control.attention_patches.text.words import PromptTokens, Word, read_words
from hypothesis import given, settings
from hypothesis import strategies as st


def tokens(text, *units):
    """The prompt with units at the positions 1, 2, ...; "sun+flower" is one word of two pieces."""
    read, at = [], 1
    for unit in units or text.split():
        for piece in re.split(r"(?<=\w)\+", f"{unit} "):
            read.append(Word(piece.lower(), (at,)))
            at += 1
    return PromptTokens(text, read_words(text, read))


def texts(prompt):
    return [word.text for word in prompt.words]


def test_units_written_together_are_one_word():
    """Letters and digits without a space between make one word in the prompt's spelling, with all pieces."""
    prompt = tokens("1Girl in 2024", "1", "girl", "in", "2", "0", "2", "4")
    assert prompt.words == (Word("1Girl", (1, 2)), Word("in", (3,)), Word("2024", (4, 5, 6, 7)))


def test_pieces_of_a_word_come_together():
    """The pieces into which the encoder cuts a rare word are one word, and lower case does not matter."""
    prompt = tokens("SunFlowers \u0130stanbul", "sun+flow+ers", "i\u0307stan+bul")
    assert prompt.words == (Word("SunFlowers", (1, 2, 3)), Word("\u0130stanbul", (4, 5)))


def test_a_space_parts_words():
    """The same units with a space between are two words."""
    assert texts(tokens("1 girl", "1", "girl")) == ["1", "girl"]


def test_punctuation_is_a_word_of_its_own():
    """Commas, hyphens and underscores part words; suffixes such as 's are words too."""
    prompt = tokens(
        "A fox's long_hair,T-shirt", "a", "fox", "'s", "long", "_", "hair", ",", "t", "-", "shirt"
    )
    assert texts(prompt) == ["A", "fox", "'s", "long", "_", "hair", ",", "T", "-", "shirt"]
    assert [word.positions for word in prompt.words] == [(n,) for n in range(1, 11)]


def test_combining_marks_belong_to_their_word():
    """A script whose vowels are combining marks is not cut at each of them."""
    prompt = tokens(
        "\u0928\u092e\u0938\u094d\u0924\u0947 fox", "\u0928\u092e\u0938", "\u094d", "\u0924", "\u0947", "fox"
    )
    assert [word.positions for word in prompt.words] == [(1, 2, 3, 4), (5,)]


def test_text_that_reads_otherwise_falls_back_to_the_units():
    """Where the encoder changes a character, no position is lost or moved."""
    prompt = tokens("A \u2160 sun Fox", "a", "i", "s+un", "fox")
    assert prompt.words == (Word("a", (1,)), Word("i", (2,)), Word("sun", (3, 4)), Word("fox", (5,)))


def test_every_position_is_in_exactly_one_word():
    """Whatever the fit of text and units, the positions of the words are those of the units."""
    for text in ("a b c", "abc", "a,b c", "something else", ""):
        prompt = tokens(text, "a", "b", "c")
        assert [p for word in prompt.words for p in word.positions] == [1, 2, 3]


def test_find_joins_all_places():
    """A repeated word is found at all of its places, `#n` picks one of them."""
    prompt = tokens("a cat and a Cat")
    assert prompt.find("cat") == Word("cat", (2, 5))
    assert prompt.find("CAT#1").positions == (2,)
    assert prompt.find("cat#2") == Word("cat#2", (5,))
    assert prompt.find("a cat #2").positions == (4, 5)


def test_each_place_of_a_phrase():
    """In their order; a number sign is text there."""
    prompt = tokens("a cat #2 and a Cat", "a", "cat", "#", "2", "and", "a", "cat")
    assert prompt.occurrences("cat") == (Word("cat", (2,)), Word("cat", (7,)))
    assert prompt.occurrences("cat #2") == (Word("cat #2", (2, 3, 4)),)
    assert prompt.occurrences("cat #1") == ()


def test_find_phrase_of_several_words():
    """A phrase is a run of words; words apart are none."""
    prompt = tokens("a red cat , blue red")
    assert prompt.find(" Red  cat ").positions == (2, 3)
    with pytest.raises(ValueError, match="'cat blue' is not in the prompt"):
        prompt.find("cat blue")


def test_find_takes_overlapping_places_once():
    """Places do not overlap: "very very very" holds "very very" once."""
    assert tokens("very very very fox").find("very very").positions == (1, 2)


def test_find_whole_words_only():
    """Neither the beginning nor the end of a word is found."""
    prompt = tokens("cats catalogue concat")
    with pytest.raises(ValueError, match=r"'cat' is not in the prompt.*cats, catalogue, concat"):
        prompt.find("cat")


def test_find_through_hyphens():
    """A part of a hyphenated word is found, and the whole in any of its spellings, hyphen included."""
    prompt = tokens("hyper-realistic T-shirt", "hyper", "-", "realistic", "t", "-", "shirt")
    assert prompt.find("realistic").positions == (3,)
    for phrase in ("hyper-realistic", "hyper realistic", "Hyper_Realistic", "hyperrealistic"):
        assert prompt.find(phrase).positions == (1, 2, 3)
    assert prompt.find("t shirt").positions == (4, 5, 6)


def test_find_ignores_punctuation_round_the_phrase():
    """A comma copied with the word does not matter; punctuation alone is found as such."""
    prompt = tokens("cat, dog", "cat", ",", "dog")
    assert prompt.find("cat,").positions == (1,)
    assert prompt.find("\u201cdog\u201d").positions == (3,)
    assert prompt.find(",").positions == (2,)


def test_find_through_apostrophes():
    """A possessive is found as it is written, straight or curled, and its noun alone; it is no plural."""
    units = ["the", "cat", "'s", "hat", "and", "the", "dog", "\u2019s", ",", "don", "'t"]
    prompt = tokens("the cat's hat and the dog\u2019s, don't", *units)
    for phrase in ("cat's", "Cat\u2019s", "cat's,"):
        assert prompt.find(phrase).positions == (2, 3)
    assert prompt.find("dog's").positions == (7, 8)
    assert prompt.find("the cat's hat").positions == (1, 2, 3, 4)
    assert prompt.find("cat").positions == (2,)
    assert prompt.find("'s").positions == (3, 8)
    assert prompt.find("don't").positions == (10, 11)
    with pytest.raises(ValueError, match="'cats' is not in the prompt"):
        prompt.find("cats")


UNITS = ["cat", "cats", "cat 's", "dog \u2019s", "don 't", "s", "2", "red", "-", "_", ",", "(", "'"]


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.permutations(UNITS), st.lists(st.sampled_from(["", " "]), min_size=13, max_size=13), st.data())
def test_what_stands_in_the_prompt_is_found(units, spaces, data):
    """A stretch of the prompt from the beginning of one word to the end of another is found there."""
    written = [unit.replace(" ", "") for unit in units]
    text = "".join(unit + space for unit, space in zip(written, spaces, strict=True))
    units = " ".join(units).split()
    words = tokens(text, *units).words
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, len(words) - 1))
    starts, at = [], 0
    for word in words:
        starts.append(text.index(word.text, at))
        at = starts[-1] + len(word.text)
    named = [word for word in words[first : last + 1] if any(map(str.isalnum, word.text))]
    if named:
        phrase = text[starts[first] : starts[last] + len(words[last].text)]
        wanted = words[words.index(named[0]) : words.index(named[-1]) + 1]
        found = PromptTokens(text, words).find(phrase).positions
        assert {p for word in wanted for p in word.positions} <= set(found)


def test_a_number_sign_in_the_prompt_is_text():
    """`#2` that really stands in the prompt is found as text before it is taken as a count."""
    prompt = tokens("room #2", "room", "#", "2")
    assert prompt.find("room #2").positions == (1, 2, 3)


@pytest.mark.parametrize("phrase", ["cat#0", "cat#3"])
def test_too_few_places_is_an_error(phrase):
    """A place that does not exist is an error that counts those that do."""
    with pytest.raises(ValueError, match=r"number [03], but 'cat' stands 2 times in the prompt 'cat cat'"):
        tokens("cat cat").find(phrase)


@pytest.mark.parametrize("phrase", ["", "  ", "-"])
def test_nothing_to_find_is_an_error(phrase):
    """An empty phrase finds nothing."""
    with pytest.raises(ValueError, match=r"empty phrase|is not in the prompt"):
        tokens("a cat").find(phrase)


def test_error_shows_the_words():
    """The error names the words once each, or says that there are none."""
    with pytest.raises(ValueError, match=r"'fox' is not in the prompt. It has: cat, dog\. "):
        tokens("a cat and a cat and the dog").find("fox")
    with pytest.raises(ValueError, match="It has: no words"):
        tokens("").find("fox")


def test_content_words():
    """Punctuation, articles, conjunctions, prepositions and counts are left out; pictographs stay."""
    units = [
        "two",
        "cats",
        ",",
        "a",
        "dog",
        "'s",
        "hat",
        "in",
        "front",
        "of",
        "1",
        "girl",
        "+",
        "3",
        "\U0001f98a",
    ]
    prompt = tokens("Two cats, a dog's hat in front of 1girl + 3 \U0001f98a", *units)
    assert [word.text for word in prompt.content_words()] == [
        "cats",
        "dog",
        "hat",
        "front",
        "1girl",
        "\U0001f98a",
    ]
    assert set(prompt.content_words()) <= set(prompt.words)
