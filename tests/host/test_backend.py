"""The host's attention call and back: every layout and every mask that the host passes."""

import itertools

import pytest
import torch
from attention_control.attention_patches.attention import head_columns
from attention_control.attention_patches.attention.attention import attention
from attention_control.attention_patches.contract.call.column_bias import ColumnBias
from attention_control.nodes.host.calls.inside.backend import HostCall
from comfy.ldm.modules import attention as host_attention
from comfy.ldm.modules.attention import attention_pytorch, attention_sub_quad

from .devices import DEVICE
from .tiny.precision import nearly

B, H, N, M, D = 2, 3, 5, 7, 4
LAYOUTS = [
    {"skip_reshape": reshape, "skip_output_reshape": output}
    for reshape, output in itertools.product([False, True], repeat=2)
]
MASKS = {
    "none": None,
    "(N, M)": (N, M),
    "(B, N, M)": (B, N, M),
    "(B, 1, N, M)": (B, 1, N, M),
    "(B, 1, 1, M)": (B, 1, 1, M),
    "(1, H, N, M)": (1, H, N, M),
}


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE)


def tensors(layout):
    """q, k, v in the layout of the call."""
    split = (draw(B, H, n, D, seed=n + i) for i, n in enumerate((N, M, M)))
    return tuple(x if layout["skip_reshape"] else x.transpose(1, 2).flatten(2) for x in split)


def through(func, q, k, v, *rest, inner=None, **kwargs):
    """The call taken apart into (B, H, N, d), attended to by the host, and put together again."""
    host = HostCall(inner, func, (q, k, v), H, rest, kwargs)
    qkv = host.qkv()
    assert (qkv.q.shape, qkv.k.shape, qkv.v.shape) == ((B, H, N, D), (B, H, M, D), (B, H, M, D))
    return host.finish(attention(qkv, host.backend))


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize(
    "layout", LAYOUTS, ids=lambda layout: "-".join(k for k in layout if layout[k]) or "flat"
)
@pytest.mark.parametrize("func", [attention_pytorch, attention_sub_quad], ids=["pytorch", "sub_quad"])
def test_there_and_back_is_the_hosts_own_call(func, layout, mask):
    """With a mask or without, given by position or by name, the result is the host's."""
    q, k, v = tensors(layout)
    bias = None if mask is None else draw(*mask, seed=9)
    expected = func(q, k, v, H, bias, **layout)
    assert nearly(through(func, q, k, v, bias, **layout), expected, atol=1e-6)
    assert nearly(through(func, q, k, v, bias, torch.float32, **layout), expected, atol=1e-6)
    assert nearly(through(func, q, k, v, mask=bias, **layout), expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(N, M), (B, N, M), (B, 1, N, M)])
def test_boolean_masks_become_float(shape):
    """A boolean mask, which only one backend understands, works in the other too."""
    q, k, v = tensors(LAYOUTS[0])
    seen = draw(*shape, seed=4) > -0.5
    seen[..., 0] = True
    expected = attention_pytorch(q, k, v, H, seen)
    assert nearly(through(attention_sub_quad, q, k, v, seen), expected, atol=1e-6)


def test_a_scale_of_the_hosts_own_reaches_explicit_maps():
    """A call with its own scale is computed with it, fused or explicit."""
    q, k, v = tensors(LAYOUTS[0])
    expected = attention_pytorch(q, k, v, H, scale=0.9)
    host = HostCall(None, attention_pytorch, (q, k, v), H, (), {"scale": 0.9})
    for qkv in (host.qkv(), host.qkv().edit_map(lambda p, _: p)):
        out = host.finish(attention(qkv, host.backend))
        assert nearly(out, expected, atol=1e-6)


def test_a_function_that_stood_there_before_is_called_with_the_hosts():
    """What another pack put in the slot gets the host's function and the tensors in the host's layout."""
    seen = []

    def inner(func, q, k, v, heads, **kwargs):
        seen.append((q.shape, k.shape, heads))
        return 2 * func(q, k, v, heads, **kwargs)

    q, k, v = tensors(LAYOUTS[0])
    out = through(attention_pytorch, q, k, v, inner=inner)
    assert nearly(out, 2 * attention_pytorch(q, k, v, H), atol=1e-6)
    assert seen == [((B, N, H * D), (B, M, H * D), H)]


FUNCTIONS = ["basic", "flash", "pytorch", "sage", "split", "sub_quad"]  # those that run without a GPU


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("layout", [LAYOUTS[0], LAYOUTS[3]], ids=["flat", "by head"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_attention_of_the_host_takes_columns_in_its_heads(name, layout, dtype, monkeypatch):
    """Closed keys get nothing and the rest is as with a mask, in half precision to its rounding; Sage leaves
    it to PyTorch, as 8 bits would not do."""
    monkeypatch.setattr(head_columns, "FEWEST_PAIRS", 0)
    monkeypatch.setattr(host_attention, "sageattn", lambda q, *rest, **how: q * torch.nan, raising=False)
    func = getattr(host_attention, f"attention_{name}")
    cells, words = (draw(B, 1, N, 2, seed=7) > 0).to(dtype), -2048.0 * (draw(1, 1, M, 2, seed=8) > 0.5)
    host = HostCall(None, func, tuple(x.to(dtype) for x in tensors(layout)), H, (), {"scale": 0.9, **layout})
    qkv = host.qkv().add_bias(ColumnBias(cells, words.to(dtype)))
    q, k, v = (x.double() for x in (qkv.q, qkv.k, qkv.v))
    bias = cells.double() @ words.double().transpose(-1, -2)
    assert (bias.amax(-1) == 0).all() and (bias < 0).any()
    expected = (q @ k.transpose(-1, -2) * 0.9 + bias).softmax(-1) @ v
    out = attention(qkv, None, host.wider)
    assert out.dtype == dtype and torch.allclose(out.double(), expected, atol=8 * torch.finfo(dtype).eps)
    assert host.finish(out).shape == host.untouched().shape


def test_what_may_not_take_columns_gets_a_mask():
    """Another pack's function, whatever it calls in the end, and a function of the host's that we do not
    know."""
    q, k, v = tensors(LAYOUTS[0])

    def other(func, *args, **kwargs):
        return func(*args, **kwargs)

    assert HostCall(None, attention_pytorch, (q, k, v), H, (), {}).wider is not None
    assert HostCall(other, attention_pytorch, (q, k, v), H, (), {}).wider is None
    assert HostCall(None, host_attention.attention3_sage, (q, k, v), H, (), {}).wider is None
    assert HostCall(None, lambda *args: q, (q, k, v), H, (), {}).wider is None
