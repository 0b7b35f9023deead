"""Maps that are measured with a graph: of one softmax over all tokens of a joint call."""

from dataclasses import replace

import pytest
import torch
from attention_control.attention_patches.attention import attention_map as maps
from attention_control.attention_patches.contract.call.column_bias import ColumnBias
from attention_control.attention_patches.contract.call.qkv import QKV, Appended

ROWS, HEADS, CELLS, WORDS, WIDTH = 4, 3, 6, 5, 8


def joint_call():
    """The view of the text; the picture's keys with a mask are appended, and so are keys of a patch."""
    generator = torch.Generator().manual_seed(0)

    def random(*shape):
        return torch.randn(*shape, generator=generator)

    def keys(tokens):
        return random(ROWS, HEADS, tokens, WIDTH)

    seen = (True,) * ROWS
    image = Appended(keys(CELLS), keys(CELLS), random(1, 1, CELLS, CELLS), seen, (), "image")
    foreign = Appended(keys(2), keys(2), None, seen)
    columns = (ColumnBias(random(ROWS, 1, CELLS, 2), random(ROWS, 1, WORDS, 2)),)
    bias = random(ROWS, HEADS, 1, WORDS)
    return QKV(keys(CELLS), keys(WORDS), keys(WORDS), bias, (image, foreign), columns=columns, name="text")


def expected(qkv):
    """In float64; what a patch has appended counts for nothing."""
    image = qkv.appended[0]
    words = qkv.q.double() @ qkv.k.double().transpose(-1, -2) / WIDTH**0.5 + qkv.bias.double()
    words = words + (qkv.columns[0].queries @ qkv.columns[0].keys.transpose(-1, -2)).double()
    cells = qkv.q.double() @ image.k.double().transpose(-1, -2) / WIDTH**0.5 + image.bias.double()
    return torch.cat([words, cells], -1).softmax(-1)[..., :WORDS]


@pytest.mark.parametrize("bytes_", [1, 2**26], ids=["a head at a time", "all heads at once"])
def test_words_share_one_softmax_with_the_picture(bytes_, monkeypatch):
    """Of all rows and of some, by head and in sum; with the gradient of the plain way."""
    monkeypatch.setattr(maps, "MAP_BYTES", bytes_)
    qkv = joint_call()
    leaf = qkv.q.clone().requires_grad_()
    found = maps.attention_map(replace(qkv, q=leaf))
    assert torch.allclose(found.double(), expected(qkv), atol=1e-6)
    some = maps.summed_map(maps.rows_of(qkv, slice(1, 3)))
    assert torch.allclose(some.double(), expected(qkv)[1:3].sum(1), atol=1e-6)
    again = qkv.q.clone().requires_grad_()
    (mine,) = torch.autograd.grad(found.square().sum(), leaf)
    (plain,) = torch.autograd.grad(expected(replace(qkv, q=again)).square().sum(), again)
    assert torch.allclose(mine, plain, atol=1e-5)
