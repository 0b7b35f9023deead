"""Two prompts aligned, against the mappers of the authors' aligner written out by hand."""

import pytest
from attention_control.attention_patches.methods.prompt_to_prompt.alignment import OWN, Taken, align, common
from attention_control.attention_patches.text.token_roles import EncodedPrompt
from attention_control.attention_patches.text.words import PromptTokens, Word

CHUNK = 12


def prompt(*chunks, length=CHUNK):
    """Words of chunks; `sun|flower` has two tokens, and punctuation is a word of its own."""
    words, values = [], {}
    for number, chunk in enumerate(chunks):
        position = number * CHUNK + 1
        for spelled in chunk.split():
            tokens = spelled.split("|")
            positions = tuple(range(position, position + len(tokens)))
            values |= dict(zip(positions, tokens, strict=True))
            words.append(Word("".join(tokens), positions))
            position += len(tokens)
    return EncodedPrompt(PromptTokens(" ".join(chunks), tuple(words)), values, length, CHUNK)


def taken(alignment):
    """Position -> source positions, and 1 / share where it is not 1."""
    return {
        position: (each.tokens if each.share == 1 else (*each.tokens, f"1/{round(1 / each.share)}"))
        for position, each in enumerate(alignment.taken)
        if each != OWN
    }


def same(first, last, by=0):
    """Positions that take those `by` before them."""
    return {position: (position - by,) for position in range(first, last + 1)}


def test_a_swapped_word_takes_the_map_of_the_other():
    """One token for one: every token of the text, its ends and fillers take what stands in their place."""
    aligned = align(prompt("a cat on a mat"), prompt("a dog on a mat"), "auto")
    assert aligned.mode == "swap"
    assert taken(aligned) == same(0, CHUNK - 1)


def test_behind_a_word_of_more_tokens_everything_moves_along():
    """The two tokens share the map, what follows takes its own word's, the last filler keeps its own."""
    aligned = align(prompt("a cat on a mat"), prompt("a sun|flower on a mat"), "swap")
    expected = {0: (0,), 1: (1,), 2: (2, "1/2"), 3: (2, "1/2"), **same(4, CHUNK - 1, by=1)}
    assert taken(aligned) == expected


def test_behind_a_word_of_fewer_tokens_everything_moves_along():
    """The map is the sum of both tokens', and the source's last filler is nobody's."""
    aligned = align(prompt("a sun|flower on a mat"), prompt("a cat on a mat"), "swap")
    assert taken(aligned) == {0: (0,), 1: (1,), 2: (2, 3), **same(3, CHUNK - 2, by=-1)}
    assert aligned.taken[CHUNK - 1] == OWN


def test_words_of_equally_many_tokens_go_token_by_token():
    """As the authors have it, for other words as for the same (`mapper[inds_source_, inds_target_] = 1`)."""
    aligned = align(prompt("sun|flower sun|flower"), prompt("hedge|hog sun|flower"), "swap")
    assert taken(aligned) == same(0, CHUNK - 1)


def test_punctuation_is_no_word():
    """It neither counts nor is paired with a word; in the same gap it takes the source's, in order."""
    aligned = align(prompt("a cat , big !"), prompt("a dog big ! !"), "swap")
    assert taken(aligned) == {0: (0,), 1: (1,), 2: (2,), 3: (4,), 4: (5,), **same(6, CHUNK - 1)}


def test_unequal_numbers_of_words_are_an_error_that_shows_the_pairs():
    """And auto refines there."""
    source, edit = prompt("a cat on a mat"), prompt("a big cat on a mat")
    pattern = r"5 and .*has 6.*a -> a, cat -> big, on -> cat, a -> on, mat -> a; left over in the edit: mat"
    with pytest.raises(ValueError, match=pattern):
        align(source, edit, "swap")
    assert align(source, edit, "auto").mode == "refine"


def test_refinement_takes_what_both_have():
    """The new word keeps its map; the end and the fillers follow those of the source."""
    aligned = align(prompt("a cat on a mat"), prompt("a big cat on a mat"), "refine")
    assert taken(aligned) == {0: (0,), 1: (1,), **same(3, CHUNK - 1, by=1)}


def test_refinement_leaves_out_what_is_gone():
    """The last filler has none to take."""
    aligned = align(prompt("a big cat"), prompt("a cat"), "refine")
    assert taken(aligned) == {0: (0,), 1: (1,), **same(2, CHUNK - 2, by=-1)}


@pytest.mark.parametrize(
    ("source", "edit", "pairs"),
    [
        ("a b c", "a x c", [(0, 0), (2, 2)]),
        ("a b", "b a", [(1, 0)]),  # of two as good ones, first the edit's last token is left out
        ("a a", "a", [(0, 0)]),  # from the end, what is gone is left out before a match is made
        ("a", "a a", [(0, 0)]),
        ("", "a", []),
        ("a b c d", "b d", [(1, 0), (3, 1)]),
    ],
)
def test_of_equally_good_alignments_it_is_the_authors(source, edit, pairs):
    """Ties are broken in the order: new in the edit, gone from the source, match."""
    assert common(source.split(), edit.split()) == pairs


def test_off_takes_nothing():
    """Every token keeps its own map."""
    aligned = align(prompt("a cat"), prompt("a dog"), "off")
    assert aligned.taken == (OWN,) * CHUNK


def test_prompts_of_several_chunks():
    """A chunk that the shorter prompt was filled up with has a start, an end and fillers as well."""
    source = prompt("a cat", length=2 * CHUNK)
    edit = prompt("a cat on a very very big red", "mat", length=2 * CHUNK)
    aligned = taken(align(source, edit, "refine"))
    assert aligned[0] == (0,) and aligned[2] == (2,)
    assert aligned[9] == (3,)  # the end of the first chunk
    assert aligned[10] == (4,) and aligned[11] == (5,)
    assert aligned[CHUNK] == (CHUNK,)
    assert CHUNK + 1 not in aligned  # the new word
    assert aligned[CHUNK + 2] == (CHUNK + 1,)
    assert {p for p in aligned if 2 < p < 9} == set()


def test_roles_of_a_text_that_fills_its_chunk():
    """The end is the last token, and nothing fills up."""
    full = prompt(" ".join("abcdefghij"))
    assert full.roles == {("start", 0, 0): 0, ("end", 0, 0): CHUNK - 1}
    assert Taken((CHUNK - 1,)) == align(full, full, "swap").taken[CHUNK - 1]
