"""Keys kept from one pass are found in another, however the host cuts and orders its calls."""

from itertools import pairwise

import pytest
import torch
from attention_control.attention_patches.contract.call.qkv import QKV
from attention_control.attention_patches.contract.call.site import Rows, Site, Text
from attention_control.attention_patches.contract.layers.layer import Layer
from attention_control.attention_patches.guests.kept_rows import KeptRows

POSITIVE, NEGATIVE = Text("positive", 0, 77), Text("negative", 0, 77)
SECOND = Text("positive", 1, 77)
CPU = torch.device("cpu")


def site(texts, images, ordinal=1):
    """A self-attention of these chunks; sources are numbered by place, as guidance nodes may do."""
    rows = Rows(tuple(range(len(texts))), images, tuple(texts))
    layer = Layer(ordinal, 4, "output", ordinal, 0)
    tokens = slice(0, 6), slice(0, 0)
    return Site("U-Net", "self", layer, (2, 3), *tokens, 2, 0.5, 1.0, rows)


def qkv(values, tokens=6):
    """One row for each value, keys full of it and values of its negative."""
    rows = torch.tensor(values)[:, None, None, None].expand(-1, 2, tokens, 4)
    return QKV(torch.zeros_like(rows), rows, -rows)


def kept(*calls, of=None):
    keys = of or KeptRows()
    with keys.gathering():
        for where, what in calls:
            keys.keep(where.layer.ordinal, where.rows, what.k, what.v)
    return keys


def given(keys, where):
    k, v = keys.give(where.layer.ordinal, where.rows, CPU)
    assert torch.equal(v, -k)
    return k[:, 0, 0, 0].tolist()


def test_chunks_are_found_by_their_text():
    """Gathered in one call, given in two of the other order, or the other way round."""
    one = kept((site([NEGATIVE, POSITIVE], 1), qkv([1.0, 2.0])))
    with one.giving():
        assert given(one, site([POSITIVE], 1)) == [2.0]
        assert given(one, site([NEGATIVE], 1)) == [1.0]
    two = kept((site([POSITIVE], 1), qkv([2.0])), (site([NEGATIVE], 1), qkv([1.0])))
    with two.giving():
        assert given(two, site([POSITIVE, NEGATIVE], 1)) == [2.0, 1.0]


def test_two_texts_of_one_role_are_told_apart():
    """Regional prompts: each entry has keys of its own."""
    keys = kept((site([POSITIVE, SECOND], 1), qkv([1.0, 2.0])))
    with keys.giving():
        assert given(keys, site([SECOND, POSITIVE], 1)) == [2.0, 1.0]


def test_passes_without_a_text_are_told_apart_by_their_turn():
    """What a guidance node calls twice under one number comes back in that order."""
    keys = kept((site([None], 1), qkv([1.0])), (site([None], 1), qkv([2.0])))
    with keys.giving():
        assert [given(keys, site([None], 1)) for _ in range(2)] == [[1.0], [2.0]]


def test_one_picture_serves_for_all_and_several_row_by_row():
    """The kept rows are spread over the images, or stand for one each."""
    alone = kept((site([POSITIVE, NEGATIVE], 1), qkv([1.0, 2.0])))
    with alone.giving():
        assert given(alone, site([POSITIVE, NEGATIVE], 3)) == [1.0] * 3 + [2.0] * 3
    each = kept((site([POSITIVE, NEGATIVE], 2), qkv([1.0, 2.0, 3.0, 4.0])))
    with each.giving():
        assert given(each, site([NEGATIVE, POSITIVE], 2)) == [3.0, 4.0, 1.0, 2.0]


def test_one_chunk_may_serve_every_text():
    """A picture under a text of its own is for all chunks, however the calls are cut."""
    keys = kept((site([Text("guest", 0, 9)], 2), qkv([1.0, 2.0])), of=KeptRows(for_all=True))
    with keys.giving():
        assert given(keys, site([NEGATIVE], 2)) == [1.0, 2.0]
        assert given(keys, site([POSITIVE, None], 2)) == [1.0, 2.0, 1.0, 2.0]


def test_layers_have_their_own_and_another_number_of_tokens_is_kept():
    """A larger picture has more keys."""
    keys = kept((site([POSITIVE], 1, 1), qkv([1.0], 9)), (site([POSITIVE], 1, 2), qkv([2.0], 9)))
    with keys.giving():
        assert given(keys, site([POSITIVE], 1, 2)) == [2.0]
        assert keys.give(1, site([POSITIVE], 1, 1).rows, CPU)[0].shape == (1, 2, 9, 4)


def test_nothing_is_given_that_was_not_kept_or_is_of_an_earlier_pass():
    """A chunk that did not pass is a KeyError; all is forgotten when the giving ends."""
    keys = kept((site([POSITIVE], 1), qkv([1.0])))
    with keys.giving(), pytest.raises(KeyError):
        keys.give(1, site([POSITIVE, NEGATIVE], 1).rows, CPU)
    with keys.giving(), pytest.raises(KeyError):
        keys.give(1, site([POSITIVE], 1).rows, CPU)


def test_it_says_what_it_is_doing_even_after_an_error():
    """A pass that fails leaves nothing open."""
    keys = KeptRows()
    states = [keys.busy]
    for scope in (keys.gathering, keys.giving):
        with pytest.raises(RuntimeError), scope():
            states.append(keys.busy)
            raise RuntimeError
        states.append(keys.busy)
    assert states == [False, True, False, True, False]
    assert all(a != b for a, b in pairwise(states))
