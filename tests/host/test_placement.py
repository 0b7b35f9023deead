"""StyleAligned where positions are rotations: equal to a naive version that begins before the rotation."""

from dataclasses import dataclass, field
from typing import ClassVar

import pytest
import torch
from attention_control.attention_patches.attention.attention import attention
from attention_control.attention_patches.contract.call.qkv import QKV
from attention_control.attention_patches.contract.call.rotary import Axis, Rotary
from attention_control.attention_patches.contract.call.site import Rows, Site
from attention_control.attention_patches.contract.layers.layer import Layer
from attention_control.attention_patches.methods.style_aligned.method import Alignment, StyleAligned
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from attention_control.nodes.style.style_aligned_batch_node import StyleAlignedBatch

from .just import Just
from .naive import adain, attend
from .node_calls import call_node
from .tiny.precision import nearly
from .tiny.transformer_shapes import SIX
from .tiny.transformers import painted, spoken, transformer

GRID, IMAGES, HEADS, WIDTH = (3, 5), 3, 2, 12
AXES = ((2, 7.0, 0.0, 0.0), (4, 0.0, 1.0, 0.0), (6, -2.0, 0.0, 1.0))  # channels, start, by row, by column
THETA = 100.0
ROTARY = Rotary(tuple(Axis(n, THETA, *rest) for n, *rest in AXES), GRID)
PLACEMENTS = ("beside", "same place", "untwisted")


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


def turned(x, halves, columns=0.0):
    """RoPE of (H, N, d) in float64, token by token and pair by pair, from the definition."""
    out = x.clone()
    pairs = sum(n for n, *_ in AXES) // 2
    for token in range(x.shape[1]):
        row, column = divmod(token, GRID[1])
        pair = 0
        for n, start, by_row, by_column in AXES:
            place = start + row * by_row + (column + columns) * by_column
            for j in range(n // 2):
                angle = torch.tensor(place * THETA ** (-2 * j / n), dtype=torch.float64)
                a, b = (pair, pair + pairs) if halves else (2 * pair, 2 * pair + 1)
                out[:, token, a] = x[:, token, a] * angle.cos() - x[:, token, b] * angle.sin()
                out[:, token, b] = x[:, token, a] * angle.sin() + x[:, token, b] * angle.cos()
                pair += 1
    return out


def weights(halves, percent):
    """Of each channel, untwisted: 0.25 and 1.0 at the start, 0.75 and 1.4 at the end, d per axis, squared."""
    high, low = 0.25 + 0.5 * percent, 1.0 + 0.4 * percent
    every = []
    for n, *_ in AXES:
        last = n // 2 - 1
        every += [high + (low - high) * ((d / last) ** 2 if last else 0.0) for d in range(n // 2)]
    return torch.tensor(every * 2 if halves else [w for w in every for _ in range(2)], dtype=torch.float64)


def naive(q, k, v, placement, halves, percent, adain_on, scale, shift):
    """Of one chunk (images, H, N, d) before the rotation."""
    out = []
    for i in range(IMAGES):
        q_i = adain(q[i], q[0]) if i and "queries" in adain_on else q[i]
        k_i = adain(k[i], k[0]) if i and "keys" in adain_on else k[i]
        q_i, k_i = turned(q_i, halves), turned(k_i, halves)
        if i == 0:
            out.append(attend(q_i, k_i, v[i]))
            continue
        k_r = turned(k[0], halves, columns=GRID[1] if placement == "beside" else 0.0)
        if placement == "untwisted":
            k_r = k_r * weights(halves, percent)
        bias = torch.cat([q.new_zeros(k.shape[2]), q.new_full((k.shape[2],), shift)])
        out.append(attend(q_i, torch.cat([k_i, scale * k_r], 1), torch.cat([v[i], v[0]], 1), bias))
    return torch.stack(out)


def aligned(
    placement,
    halves=False,
    adain_on="queries and keys",
    scale=1.0,
    shift=0.0,
    method=Alignment,
    rotary=True,
    dtype=torch.float32,
):
    """(what the method gives, what the naive version gives), each (2 * IMAGES, H, N, d)."""
    generator = torch.Generator().manual_seed(2)
    own = [
        torch.randn(2 * IMAGES, HEADS, 15, WIDTH, generator=generator, dtype=torch.float64)
        + torch.randn(2 * IMAGES, HEADS, 1, WIDTH, generator=generator, dtype=torch.float64)
        for _ in range(3)
    ]
    q, k = (torch.stack([turned(one, halves) for one in x]).to(dtype) for x in own[:2])
    site = Site(
        family="toy",
        kind="self",
        layer=Layer(1, 1, "double", 0, None),
        grid=GRID,
        image_tokens=slice(0, 15),
        text_tokens=slice(0),
        heads=HEADS,
        percent=0.3,
        sigma=1.0,
        rows=Rows((1, 0), IMAGES),
        rotary=Rotary(ROTARY.axes, GRID, halves) if rotary else None,
    )
    spec = StyleAligned(
        layers=frozenset({1}), placement=placement, adain=adain_on, score_scale=scale, score_shift=shift
    )

    def backend(q, k, v, bias):
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)

    out = method(spec)(site, QKV(q, k, own[2].to(dtype)), lambda qkv: attention(qkv, backend))
    chunks = (slice(0, IMAGES), slice(IMAGES, 2 * IMAGES))
    expected = [naive(*(x[c] for x in own), placement, halves, 0.3, adain_on, scale, shift) for c in chunks]
    return out, torch.cat(expected)


@pytest.mark.parametrize("halves", [False, True])
@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize(("adain_on", "scale", "shift"), [("queries and keys", 1.0, 0.0), ("keys", 0.8, 0.5)])
def test_equals_a_version_that_begins_before_the_rotation(placement, halves, adain_on, scale, shift):
    """In float64, for two chunks; the reference is what it is alone."""
    assert nearly(*aligned(placement, halves, adain_on, scale, shift), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("placement", PLACEMENTS)
def test_half_precision_stays(placement, dtype):
    """Half precision in, the same out, and as near to float64 as that allows."""
    out, expected = aligned(placement, dtype=dtype)
    assert out.dtype == dtype
    error = (out.double() - expected).abs().mean() / expected.std()
    assert error < 8 * torch.finfo(dtype).eps


class ElsewhereThanBeside(Alignment):
    """One column too far."""

    def placed(self, keys, site):
        return site.rotary.moved(keys, columns=site.grid[1] + 1)


class WeighedTheOtherWay(Alignment):
    """High frequencies up, low ones down."""

    def placed(self, keys, site):
        return site.rotary.weighed(keys, 1.12, 0.4, 2.0)


@pytest.mark.parametrize(
    ("placement", "mistake"),
    [
        ("same place", {"rotary": False}),  # AdaIN behind the rotation
        ("beside", {"method": ElsewhereThanBeside}),
        ("untwisted", {"method": WeighedTheOtherWay}),
    ],
)
def test_mistakes_are_seen(placement, mistake):
    """Each differs from the naive version by more than rounding."""
    assert not nearly(*aligned(placement, **mistake), rtol=1e-2, atol=1e-2)


@dataclass
class Rotated:
    """Keeps the queries of the picture in the first layer, as they were before the rotation."""

    kept: list = field(default_factory=list)
    order: ClassVar = "edit"

    def wants(self, site):
        return site.kind == "self" and site.layer.ordinal == 1

    def __call__(self, site, qkv, attend):
        self.kept.append(site.rotary.unrotated(qkv.q))
        return attend(qkv)


FIRST = ("z-image", "lumina2", "flux", "flux2", "chroma", "qwen-image", "krea2", "cosmos")
HOSTS = (*FIRST, "wan", "hunyuan-image", "hidream")
IN_FRONT = {"z-image": 32, "lumina2": 11}  # tokens before the picture


def before_the_rotation(kind, model, kept):
    """What the host has before it rotates, from its own patches or modules, in a clone of the model."""
    network, clone = model.get_model_object("diffusion_model"), model.clone()
    if kind in IN_FRONT:
        attention = network.layers[0].attention
        heads, width = attention.n_local_heads, attention.head_dim

        def fused(module, args, out):
            q = out[..., : heads * width].unflatten(-1, (heads, width))
            kept.append(attention.q_norm(q).transpose(1, 2))

        return clone, [attention.qkv.register_forward_hook(fused)]
    if kind == "cosmos":
        attention = network.blocks[0].self_attn

        def projected(module, args, out):
            q = out.flatten(1, -2).unflatten(-1, (attention.n_heads, attention.head_dim))
            kept.append(attention.q_norm(q).transpose(1, 2))

        return clone, [attention.q_proj.register_forward_hook(projected)]

    if kind in ("wan", "hidream"):
        attention = (
            network.blocks[0].self_attn if kind == "wan" else network.double_stream_blocks[0].block.attn1
        )
        heads = attention.num_heads if kind == "wan" else attention.heads

        def normed(module, args, out):
            kept.append(out.unflatten(-1, (heads, -1)).transpose(1, 2))

        norm = attention.norm_q if kind == "wan" else attention.q_rms_norm
        return clone, [norm.register_forward_hook(normed)]

    def told(q, k, v, pe, attn_mask, extra_options):
        kept.append(q.clone())
        return {}

    clone.set_model_attn1_patch(told)
    return clone, []


@pytest.mark.parametrize("kind", HOSTS)
def test_rotations_are_the_hosts(kind):
    """What is turned back is what the host has turned, in the first layer of each family."""
    before, after = [], Rotated()
    clone, hooks = before_the_rotation(kind, transformer(kind), before)
    try:
        painted(install(clone, Just([after])), kind, batch=1, steps=1, cfg=1.0)
    finally:
        for hook in hooks:
            hook.remove()
    tokens = after.kept[0].shape[2]
    in_front = IN_FRONT.get(kind, 0) or before[0].shape[2] - tokens
    assert nearly(after.kept[0], before[0][:, :, in_front : in_front + tokens], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", SIX)
def test_runs_keep_the_reference_and_align_the_others(kind):
    """To the bit; where the keys stand matters wherever positions are rotations."""
    prompts = spoken(kind, rows=3, seed=1), spoken(kind, seed=2)
    once = {"prompts": prompts, "steps": 1}
    model, results = transformer(kind), []
    plain, every = painted(model, kind, **once), family_of(model).layer_map().parse("all")
    for placement in PLACEMENTS:
        results.append(painted(install(model, StyleAligned(layers=every, placement=placement)), kind, **once))
        assert torch.equal(results[-1][0], plain[0])
        assert not torch.allclose(results[-1][1:], plain[1:], rtol=0.01)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert torch.equal(results[one], results[other]) == (kind == "sd3")


def test_the_node_says_what_it_cannot_do(report):
    """SD3 has no places to choose; no transformer has group norms."""
    (model,) = call_node(StyleAlignedBatch, transformer("sd3"))
    painted(model, "sd3", steps=1)
    assert "Positions of SD3 are no rotations" in report("StyleAligned")[0][1]
    with pytest.raises(ValueError, match=r"share_group_norm is on, and Flux.1, .* have no group norms"):
        call_node(StyleAlignedBatch, transformer("flux"), share_group_norm=True)
