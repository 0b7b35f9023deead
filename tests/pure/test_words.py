"""From the columns of tokens to those of words."""

import pytest
import torch
from attention_control.attention_patches.maps.averages import cross_of
from attention_control.attention_patches.maps.word_maps import normalised, ranking, token_words, word_columns
from attention_control.attention_patches.text.readings import side_by_side
from attention_control.attention_patches.text.words import PromptTokens, Word

from .recorded import recorded


def test_a_word_is_the_mean_of_its_pieces():
    """Column by column, for every layer, slice and image."""
    maps = recorded()
    by_word = word_columns(maps, [Word("sunglasses", (3, 4, 7)), Word("cat", (2,))])
    for layer, before in zip(by_word.layers, maps.layers, strict=True):
        for image in range(2):
            got, tokens = cross_of(layer, image, slices=[1]), cross_of(before, image, slices=[1])
            assert torch.allclose(got[0], (tokens[3] + tokens[4] + tokens[7]) / 3, atol=1e-6)
            assert torch.allclose(got[1], tokens[2], atol=1e-6)


def test_another_prompt_than_the_recorded_one_is_refused():
    """Its words lie behind the recorded tokens."""
    with pytest.raises(ValueError, match=r"'dog' is token 9, .* only 9 tokens"):
        word_columns(recorded(), [Word("dog", (8, 9))])


def test_unknown_prompts_have_numbered_tokens():
    """The start token is none of them; the number is the place."""
    assert token_words(4) == (Word("token 1", (1,)), Word("token 2", (2,)), Word("token 3", (3,)))


def test_words_are_ranked_against_their_own_maxima():
    """A faint word at its peak comes before a strong one beside its peak; an empty map is no error."""
    maps = torch.tensor([[[0.9, 0.3]], [[0.01, 0.02]], [[0.0, 0.0]]])
    assert ranking(maps, (0, 1)) == [1, 0, 2]
    assert normalised(maps)[:, 0].tolist() == [[1, pytest.approx(1 / 3)], [0.5, 1], [0, 0]]


def test_a_word_has_its_tokens_in_every_reading():
    """Found by letters, whatever pieces another encoder makes; one of two words is that of which it has most,
    and what a reading lacks or spells otherwise is left out."""
    words = PromptTokens("a Red fox, café", spelled("a", "Red", "fox", ",", "café"), 6)
    pieces = PromptTokens("", spelled("are", "d", " fo", "x,", "caf"), 7)
    both = side_by_side([pieces, words, pieces], main=1)
    assert [word.positions for word in both.words] == [
        (7,),
        (0, 1, 8, 13, 14),
        (2, 3, 9, 15, 16),
        (10,),
        (4, 11, 17),
    ]
    assert (both.prompt, both.length) == (words.prompt, 20)


def spelled(*texts):
    return tuple(Word(text, (place,)) for place, text in enumerate(texts))
