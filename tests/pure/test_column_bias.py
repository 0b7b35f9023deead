"""Biases of few columns, in the heads or as a mask, against one plain softmax in float64."""

from dataclasses import replace

import pytest
import torch
from attention_control.attention_patches.attention import head_columns
from attention_control.attention_patches.attention.attention import attention
from attention_control.attention_patches.attention.attention_map import attention_map, rows_of
from attention_control.attention_patches.attention.explicit_maps import probabilities
from attention_control.attention_patches.contract.call.column_bias import ColumnBias
from attention_control.attention_patches.contract.call.qkv import QKV
from torch.nn.functional import scaled_dot_product_attention
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

B, H, N, M, D = 4, 2, 6, 5, 6
SCALE = 0.4


@pytest.fixture(autouse=True)
def any_size(monkeypatch):
    """Columns, however few pairs there are."""
    monkeypatch.setattr(head_columns, "FEWEST_PAIRS", 0)


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def backend(q, k, v, bias):
    return scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=SCALE)


def wider(q, k, v, bias):
    """As the backend; heads come in whole steps."""
    assert q.shape[-1] == k.shape[-1] == v.shape[-1] and q.shape[-1] % 8 == 0
    return backend(q, k, v, bias)


def call():
    """Own and appended keys, of which some rows see some, with masks beside the columns, and columns by row,
    by head, by key; what each row sees of each part, as (keys, values, bias in float64)."""
    q, k, v = draw(B, H, N, D), draw(B, H, M, D, seed=1), draw(B, H, M, D, seed=2)
    k2, v2, k3, v3 = (draw(B, H, n, D, seed=3 + i) for i, n in enumerate((8, 8, 1, 1)))
    own = ColumnBias(draw(B, 1, N, 2, seed=8), draw(1, H, M, 2, seed=9))
    second = ColumnBias(draw(1, 1, N, 1, seed=10), draw(B, 1, 8, 1, seed=11))
    shift = ColumnBias.on_all(0.7, q)
    mask = draw(B, 1, N, M, seed=12)
    seen2, seen3 = (True, False, True, False), (False, True, True, False)
    qkv = QKV(q, k, v, scale=SCALE).add_bias(own).add_bias(mask)
    qkv = qkv.append(k2, v2, bias=second, rows=seen2).append(k3, v3, bias=shift, rows=seen3)

    def product(bias):
        return bias.queries.double() @ bias.keys.double().transpose(-1, -2)

    parts = [
        (k, v, product(own) + mask, (True,) * B),
        (k2, v2, product(second), seen2),
        (k3, v3, product(shift), seen3),
    ]
    return qkv, [(k, v, torch.zeros(B, H, N, k.shape[2]) + bias, seen) for k, v, bias, seen in parts]


def plain(row, q, parts):
    """(probabilities, result) of one row over what it sees, in float64."""
    k, v, bias = (
        torch.cat([part[i][row].double() for part in parts if part[3][row]], dim=d)
        for i, d in ((0, -2), (1, -2), (2, -1))
    )
    map_ = (q[row].double() @ k.transpose(-1, -2) * SCALE + bias).softmax(-1)
    return map_, map_ @ v


WAYS = {
    "in the heads": lambda qkv: attention(qkv, backend, wider),
    "as a mask": lambda qkv: attention(qkv, backend),
    "explicit": lambda qkv: attention(qkv.edit_map(lambda map_, _: map_), backend, wider),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_columns_are_added_to_the_logits(way):
    """However they are computed, and whatever else is added."""
    qkv, parts = call()
    out = way(qkv)
    assert out.shape == (B, H, N, D)
    for row in range(B):
        assert torch.allclose(out[row].double(), plain(row, qkv.q, parts)[1], atol=1e-5)


def test_who_looks_at_probabilities_sees_them():
    """Recorders and losses, all rows or some."""
    qkv, parts = call()
    own = attention_map(rows_of(qkv, slice(1, 3)))
    ((_, some),) = probabilities(qkv, slice(1, 3))
    for row, map_, alone in zip((1, 2), some, own, strict=True):
        expected, _ = plain(row, qkv.q, parts)
        assert torch.allclose(map_[map_ > 0].double(), expected.flatten(), atol=1e-5)
        assert torch.allclose(alone.double(), plain(row, qkv.q, parts[:1])[0], atol=1e-5)


def test_gradients_pass():
    """With columns in the heads as with a mask."""
    qkv, _ = call()
    found = []
    for further in (wider, None):
        leaves = [x.clone().requires_grad_() for x in (qkv.q, qkv.k, qkv.v)]
        out = attention(replace(qkv, q=leaves[0], k=leaves[1], v=leaves[2]), backend, further)
        found.append(torch.autograd.grad(out.square().sum(), leaves))
    for in_heads, masked in zip(*found, strict=True):
        assert torch.allclose(in_heads, masked, atol=1e-5)


def test_another_number_of_keys_is_refused_where_single_keys_are_weighed():
    """As with a mask; what all keys get alike is no obstacle."""
    qkv = QKV(draw(B, H, N, D), draw(B, H, M, D), draw(B, H, M, D))
    other = draw(B, H, M + 2, D)
    with pytest.raises(ValueError, match="weighs single keys"):
        qkv.add_bias(ColumnBias(torch.ones(1, 1, N, 1), torch.ones(1, 1, M, 1))).swap(other, other)
    assert qkv.add_bias(ColumnBias(torch.ones(1, 1, N, 1), torch.ones(1, 1, 1, 1))).swap(other, other).swapped


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("spread", [1.0, 30.0], ids=["logits near", "logits far apart"])
def test_closed_pairs_get_nothing_in_any_type(dtype, spread):
    """Half of the keys closed by -2048 for half of the queries, also where logits differ by a thousand and
    the scale is a wide head's: the same as with a mask, and as near to float64."""
    n, d, scale = 64, 160, 160**-0.5
    q, k, v = (draw(2, H, n, d, seed=i) * s for i, s in ((0, spread), (1, spread), (2, 1.0)))
    far = torch.arange(n) % 2
    keys = far[None, None, :, None].float()
    closed = ColumnBias(keys.to(dtype), -2048 * keys.to(dtype))
    qkv = QKV(q.to(dtype), k.to(dtype), v.to(dtype)).add_bias(closed)

    def fused(q, k, v, bias):
        return scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=scale)

    masked, in_heads = attention(qkv, fused), attention(qkv, fused, fused)
    logits = qkv.q.double() @ qkv.k.double().transpose(-1, -2) * scale
    logits = logits.masked_fill((far[:, None] * far).bool(), -torch.inf)
    if spread > 1:
        assert (
            logits[..., 0].std() > 50 and (logits[..., ::2].amax(-1) - logits[..., ::2].amin(-1)).max() > 500
        )
    expected = logits.softmax(-1) @ qkv.v.double()
    errors = [(out.double() - expected).abs().mean() for out in (in_heads, masked)]
    assert in_heads.dtype == dtype and errors[0] <= errors[1] * 1.01 + 1e-12
    assert in_heads[:, :, 1].isfinite().all()


def test_no_mask_of_queries_and_keys_is_made():
    """Of 4096 queries and keys; a mask of one row for each key is no obstacle."""

    class Largest(TorchDispatchMode):
        numbers = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            made = [x for x in tree_leaves(out) if isinstance(x, torch.Tensor)]
            sizes = [x.untyped_storage().nbytes() // x.element_size() for x in made]
            self.numbers = max(self.numbers, *sizes, 0)
            return out

    n = 4096
    x = draw(1, 1, n, 8)
    closed = ColumnBias((draw(1, 1, n, 5) > 0).float(), -2048 * (draw(1, 1, n, 5) > 1).float())
    qkv = QKV(x, x, x).add_bias(closed).add_bias(torch.zeros(1, 1, 1, n))
    with Largest() as largest:
        attention(qkv, backend, wider)
    assert 0 < largest.numbers < n * n / 100
    with Largest() as largest:
        attention(qkv, backend)
    assert largest.numbers == n * n


def test_when_a_mask_is_the_better_way(monkeypatch):
    """Many columns, wide heads and few pairs get a mask."""
    given = []

    def seen(q, k, v, bias):
        given.append((q.shape[-1], bias is None))
        return q

    def widths(d, columns, queries=N):
        x = torch.zeros(1, 1, queries, d)
        cells = torch.zeros(1, 1, queries, columns)
        attention(QKV(x, x, x).add_bias(ColumnBias(cells, cells)), seen, seen)
        return given.pop()

    assert widths(40, 3) == (48, True) and widths(40, 8) == (48, True) and widths(40, 9) == (56, True)
    assert widths(40, 17) == (40, False) and widths(250, 7) == (250, False)
    x = torch.zeros(1, 1, N, 40)
    attention(QKV(x, x, x).append(x, x, bias=ColumnBias.on_all(0.7, x)), seen, seen)
    assert given.pop() == (40, False)  # on the CPU, where a mask of one row is no burden
    monkeypatch.setattr(head_columns, "FEWEST_PAIRS", 50)
    assert widths(40, 3, queries=7) == (40, False) and widths(40, 3, queries=8) == (48, True)
