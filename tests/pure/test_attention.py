"""Appended keys, biases and edited maps against one plain softmax over everything a row may see."""

import pytest
import torch
from attention_control.attention_patches.attention import explicit_maps as module
from attention_control.attention_patches.attention.attention import attention
from attention_control.attention_patches.attention.explicit_maps import probabilities
from attention_control.attention_patches.contract.call.qkv import QKV
from torch.nn.functional import scaled_dot_product_attention

B, H, N, M, D = 6, 2, 6, 4, 3
SCALE = 0.4


def backend(q, k, v, bias):
    """As the host's."""
    return scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=SCALE)


def tensors(*lengths, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(B, H, n, D, generator=generator) for n in lengths]


def plain(row, q, keys, values, bias, edit=lambda p: p):
    """One row in float64: softmax over all its keys at once."""
    k, v = (torch.cat([part[row] for part in parts], dim=-2).double() for parts in (keys, values))
    return edit((q[row].double() @ k.transpose(-1, -2) * SCALE + bias).softmax(-1)) @ v


BIASES = {
    "none": (None, None),
    "own": (torch.linspace(-1, 1, N * M).view(1, 1, N, M), None),
    "appended": (None, torch.full((1, 1, 1, 1), 0.7)),
    "both, by row": (torch.linspace(-1, 1, B * H).view(B, H, 1, 1), torch.linspace(0, 2, 8).view(1, 1, 1, 8)),
}
SEEN = {
    "all": None,
    "each second": (False, True) * 3,
    "but one of each chunk": (True, False, True) * 2,
    "some": (True, False, False, True, True, False),
    "none": (False,) * B,
}


@pytest.mark.parametrize("edited", [False, True], ids=["fused", "explicit"])
@pytest.mark.parametrize("seen", SEEN.values(), ids=SEEN)
@pytest.mark.parametrize("third", [(False, True, True) * 2, (False, True, False, True, False, False)])
@pytest.mark.parametrize("biases", BIASES.values(), ids=BIASES)
def test_each_row_attends_to_what_it_may_see(biases, third, seen, edited):
    """Fused or explicit, each row's result is the softmax over its own and its appended keys."""
    q, k, v, k2, v2, k3, v3 = tensors(N, M, M, 8, 8, 1, 1)
    own, appended = biases
    qkv = QKV(q, k, v, own, scale=SCALE).append(k2, v2, bias=appended, rows=seen).append(k3, v3, rows=third)
    out = attention(qkv.edit_map(lambda p, _: p) if edited else qkv, backend)
    for row in range(B):
        sees = [True, seen is None or seen[row], third[row]]
        parts = [
            (keys, values, torch.zeros(B, H, N, keys.shape[2]) + (0 if bias is None else bias))
            for keys, values, bias in ((k, v, own), (k2, v2, appended), (k3, v3, None))
        ]
        keys, values, bias = zip(*(p for p, visible in zip(parts, sees, strict=True) if visible), strict=True)
        expected = plain(row, q, keys, values, torch.cat([b[row] for b in bias], dim=-1))
        assert torch.allclose(out[row].double(), expected, atol=1e-5)


@pytest.mark.parametrize("edited", [False, True], ids=["fused", "explicit"])
@pytest.mark.parametrize("seen", [None, (False, True, True, True, True, False), (True, False) * 3])
def test_a_chunk_may_share_what_is_appended(seen, edited):
    """A row of keys for each of two chunks is the same as a row for each of their six images."""
    q, k, v = tensors(N, M, M)
    k2, v2 = (x[:2] for x in tensors(8, 8, seed=1))
    own = QKV(q, k, v, scale=SCALE)
    asked = [
        own.append(*x, rows=seen)
        for x in ((k2, v2), (k2.repeat_interleave(3, 0), v2.repeat_interleave(3, 0)))
    ]
    shared, repeated = (attention(a.edit_map(lambda p, _: p) if edited else a, backend) for a in asked)
    assert torch.equal(shared, repeated)


def test_edits_run_from_the_inside_out_on_query_chunks(monkeypatch):
    """The inner patch edits first; every query is edited once, in chunks of bounded size."""
    monkeypatch.setattr(module, "MAP_BYTES", 4 * B * H * M * 4)  # four queries at a time
    q, k, v = tensors(N, M, M)
    chunks = []

    def double(p, queries):
        chunks.append((queries.start, queries.stop))
        assert p.dtype == torch.float32
        return 2 * p

    def add_one(p, _):
        return p + 1

    out = attention(QKV(q, k, v, scale=SCALE).edit_map(add_one).edit_map(double), backend)
    assert chunks == [(0, 4), (4, 6)]
    for row in range(B):
        expected = plain(row, q, [k], [v], 0, edit=lambda p: 2 * p + 1)
        assert torch.allclose(out[row].double(), expected, atol=1e-5)


def test_untouched_tensors_reach_the_backend_as_they_are():
    """Without appended keys nothing is copied."""
    q, k, v = tensors(N, M, M)
    given = []
    attention(QKV(q, k, v, scale=SCALE), lambda *args: given.append(args) or q)
    assert [x.data_ptr() for x in given[0][:3]] == [x.data_ptr() for x in (q, k, v)]
    assert given[0][3] is None


def test_rows_that_see_the_same_share_a_backend_call():
    """One call for each set of visible keys, however the rows are mixed."""
    q, k, v, k2, v2 = tensors(N, M, M, 8, 8)
    sizes = []

    def counting(q, k, v, bias):
        sizes.append((q.shape[0], k.shape[2]))
        return backend(q, k, v, bias)

    attention(QKV(q, k, v, scale=SCALE).append(k2, v2, rows=(False, True, True, False, True, True)), counting)
    assert sorted(sizes) == [(2, M), (4, M + 8)]


def test_rows_that_no_edit_changes_stay_on_the_fused_kernel():
    """To the bit, and what is edited is made of the rows that it reads, after the edits inside."""
    q, k, v, k2, v2 = tensors(N, M, M, 8, 8)
    plain_call = QKV(q, k, v, scale=SCALE).append(k2, v2, rows=(False, True) * 3)
    fused = attention(plain_call, backend)

    def from_the_source(p, _):  # rows 0, 2 and 5 -> 2 and 5
        assert p.shape[0] == 3
        return 0.25 * p[1:] + 0.75 * p[:1]

    marked, read = [row in (2, 5) for row in range(B)], [row in (0, 2, 5) for row in range(B)]
    doubled = [row == 0 for row in range(B)]
    one = plain_call.edit_map(from_the_source, rows=marked, reads=read)
    both = one.edit_map(lambda p, _: 2 * p, rows=doubled)
    for qkv, changed in ((one, (2, 5)), (both, (0, 2, 5))):
        out = attention(qkv, backend)
        kept = [row for row in range(B) if row not in changed]
        assert torch.equal(out[kept], fused[kept])
        source = 2.0 if qkv is both else 1.0
        maps = torch.cat([map_ for _, map_ in probabilities(plain_call)], 2).double()
        values = torch.cat([v, v2], 2).double()
        for row in changed:
            mixed = 0.25 * maps[row] + 0.75 * source * maps[0] if row else source * maps[0]
            assert torch.allclose(out[row].double(), mixed @ values[row], atol=1e-5)


def test_maps_of_a_few_rows_are_made_of_no_more_than_they_read():
    """An edit whose rows nobody asked for is not made."""
    q, k, v = tensors(N, M, M)
    seen = []

    def noted(name):
        def edit(p, _):
            seen.append((name, p.shape[0]))
            return p[-1:] * 3

        return edit

    marks = [[row == changed for row in range(B)] for changed in range(B)]
    qkv = QKV(q, k, v, scale=SCALE).edit_map(noted("outer"), rows=marks[4], reads=[True] * B)
    qkv = qkv.edit_map(noted("inner"), rows=marks[5], reads=[row > 3 for row in range(B)])
    ((_, some),) = probabilities(qkv, slice(5, 6))
    assert seen == [("inner", 2)]
    ((_, whole),) = probabilities(QKV(q, k, v, scale=SCALE))
    assert torch.allclose(some, 3 * whole[5:], atol=1e-6)
