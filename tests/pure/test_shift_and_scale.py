"""What `score_shift` and `score_scale` do to the weight of the reference's keys."""

from itertools import pairwise

import pytest
import torch
from attention_control.attention_patches.attention.explicit_maps import probabilities
from attention_control.attention_patches.contract.call.qkv import QKV
from attention_control.attention_patches.contract.call.site import Rows, Site
from attention_control.attention_patches.contract.layers.layer import Layer
from attention_control.attention_patches.methods.style_aligned.method import Alignment, StyleAligned

IMAGES, HEADS, TOKENS, WIDTH = 3, 2, 12, 8


@pytest.fixture
def site():
    """A self-attention with two chunks."""
    return Site(
        family="U-Net",
        kind="self",
        layer=Layer(1, 1, "input", 1, 0),
        grid=(3, 4),
        image_tokens=slice(0, TOKENS),
        text_tokens=slice(0, 0),
        heads=HEADS,
        percent=0.5,
        sigma=1.0,
        rows=Rows((1, 0), IMAGES),
    )


@pytest.fixture
def qkv():
    """Random; some queries like all keys, some none."""
    generator = torch.Generator().manual_seed(0)
    shape = (3, 2 * IMAGES, HEADS, TOKENS, WIDTH)
    q, k, v = torch.randn(shape, generator=generator, dtype=torch.float64)
    return QKV(q, k + 4 * torch.eye(WIDTH)[0], v)


def weight(qkv, site, **settings):
    """(B, H, N): how much of each query's attention is on the reference's keys."""
    passed = []

    def attend(asked):
        passed.append(asked)
        return asked.q

    Alignment(StyleAligned(layers=frozenset({1}), adain="off", **settings))(site, qkv, attend)
    return torch.cat([map_ for _, map_ in probabilities(passed[0])], 2)[..., TOKENS:].sum(-1).double()


def others(x):
    """Without the reference's rows, which do not look at themselves twice."""
    return x.unflatten(0, (2, IMAGES))[:, 1:]


def log_odds(x):
    """Of a weight between 0 and 1."""
    return x.log() - (1 - x).log()


def test_shift_adds_to_the_log_odds_of_the_reference(qkv, site):
    """So log 2 doubles the odds, for every query alike, and the weight grows with the shift."""
    shifts = torch.tensor([-2.0, 0.0, 0.69314718, 2.0])
    odds = torch.stack([log_odds(others(weight(qkv, site, score_shift=float(s)))) for s in shifts])
    expected = (odds[1] + shifts[:, None, None, None, None]).double()
    assert torch.allclose(odds, expected, atol=1e-4)


def test_scale_moves_the_weight_as_the_references_own_logits_say(qkv, site):
    """The slope of the log-odds over the scale is the mean logit of the reference's keys for a query: more
    scale means more weight where it is positive and less where it is negative; it grows with the scale."""
    step = 0.05
    scales = [0.5, 1.0 - step, 1.0, 1.0 + step, 1.5]
    odds = torch.stack([log_odds(others(weight(qkv, site, score_scale=s))) for s in scales])
    slope = (odds[3] - odds[1]) / (2 * step)
    q, k = (x.unflatten(0, (2, IMAGES)) for x in (qkv.q, qkv.k))
    logits = q[:, 1:] @ k[:, :1].transpose(-1, -2) / WIDTH**0.5
    mean = (logits.softmax(-1) * logits).sum(-1)
    assert torch.allclose(slope, mean, atol=5e-3)
    assert (slope > 0.2).any() and (slope < -0.2).any()
    early, late = (odds[2] - odds[0]) / 0.5, (odds[4] - odds[2]) / 0.5
    assert (early <= slope + 1e-3).all() and (slope <= late + 1e-3).all()


def test_nobody_else_is_looked_at(qkv, site):
    """The reference sees its own keys only; a scale of 0 gives the others an even look at the reference."""
    images = weight(qkv, site, score_shift=3.0).unflatten(0, (2, IMAGES))
    assert not images[:, 0].any()
    assert (images[:, 1:] > 0).all()


def test_the_output_goes_straight_to_the_references_look_of_itself(qkv, site):
    """More shift moves every query's output along the line between what it sees in its own image and what it
    sees in the reference."""
    outs = []
    for shift in (-20.0, -1.0, 1.0, 20.0):
        part = Alignment(StyleAligned(layers=frozenset({1}), adain="off", score_shift=shift))
        captured = []
        part(site, qkv, lambda asked, seen=captured: seen.append(asked) or asked.q)
        full = torch.cat([map_ for _, map_ in probabilities(captured[0])], 2).double()
        values = torch.cat([captured[0].v, captured[0].appended[0].v.repeat_interleave(IMAGES, 0)], 2)
        outs.append(others(full @ values))
    own, end = outs[0], outs[-1]
    gone = [((out - own) * (end - own)).sum(-1) / (end - own).square().sum(-1) for out in outs]
    assert all((a < b).all() for a, b in pairwise(gone))
    for out, part in zip(outs, gone, strict=True):
        assert torch.allclose(out, own + part[..., None] * (end - own), atol=1e-4)
