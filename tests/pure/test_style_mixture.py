"""Several styles in one attention call: against a naive version in float64, and the laws of weights."""

import pytest
import torch
from attention_control.attention_patches.attention.attention import attention
from attention_control.attention_patches.contract.call.qkv import QKV
from attention_control.attention_patches.contract.call.site import Rows, Window
from attention_control.attention_patches.inversion.inversion import Inversion, ModelIdentity
from attention_control.attention_patches.methods.style_aligned.blend import Blend
from attention_control.attention_patches.methods.style_aligned.style_reference import StyleReference, weights
from attention_control.attention_patches.methods.style_aligned.visiting_styles import Styles
from attention_control.attention_patches.numerics.adain import mean_and_std
from torch.nn.functional import scaled_dot_product_attention

from ..naive_styles import mixture

GRID = (3, 4)
WHOLE, LEFT, RIGHT = Window(), Window(right=0.5), Window(left=0.5)
ROUND = Window(left=0.75, right=1.25)
SIDES = torch.tensor([[1.0, 0.0]])
PICTURE = Inversion(
    "ddim", torch.tensor([1.0, 0.0]), torch.zeros(2, 1, 4, 2, 3), None, ModelIdentity("x", ())
)


def backend(q, k, v, bias):
    """As the host's."""
    return scaled_dot_product_attention(q, k, v, attn_mask=bias)


def rows_of(chunks=1, images=2):
    return Rows(tuple(range(chunks)), images)


def random(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def call(rows, seed=0, tokens=12):
    """A call of two heads of three channels."""
    return QKV(*(3 * random(rows.total, 2, tokens, 3, seed=seed + i) + i for i in range(3)))


def pictures(*tokens, seed=50):
    """(q, k, v) of each reference, (H, M, d)."""
    return [
        tuple(2 * random(2, m, 3, seed=seed + 3 * r + i) - r for i in range(3)) for r, m in enumerate(tokens)
    ]


def styles_of(references, chunks=1):
    """What references leave, the same for each chunk."""
    keys, values = ([one[i].expand(chunks, -1, -1, -1) for one in references] for i in (1, 2))
    found = [[mean_and_std(one[i]) for one in references] for i in (0, 1)]
    means, deviations = (
        tuple(torch.stack([pair[j][:, 0] for pair in kind]).expand(chunks, -1, -1, -1) for kind in found)
        for j in (0, 1)
    )
    return Styles(keys, values, means, deviations, [None] * len(references))


def blended(references, shares, qkv=None, rows=None, **settings):
    """Attention of a call with references of these weights, (C, R, n) or (C, images, R, n)."""
    rows, shares = rows or rows_of(len(shares)), torch.as_tensor(shares)
    shares = shares if shares.ndim == 4 else shares[:, None]
    blend = Blend(**{"attends": True, "adain": "queries and keys", "shift": 0.0, "scale": 1.0, **settings})
    return attention(blend(qkv or call(rows), rows, styles_of(references, len(shares)), shares), backend)


@pytest.mark.parametrize("images", [1, 2], ids=["alike", "by image"])
@pytest.mark.parametrize("cells", [1, 12], ids=["by part", "by place"])
@pytest.mark.parametrize(
    "settings",
    [{}, {"shift": 0.7, "scale": 0.5, "adain": "queries"}, {"attends": False}],
    ids=str,
)
def test_it_equals_the_naive_version(settings, cells, images):
    """Two chunks, of which one sees three pictures of any size and the other two of them."""
    references = pictures(4, 6, 9)
    shares = random(2, images, 3, cells, seed=9).softmax(2)
    shares[1, :, 1], shares[0, :, 2, ::2], shares[1, 0, :, cells // 2 + 1 :] = 0.0, 5e-4, 0.0
    rows = rows_of(2)
    qkv = call(rows)
    found = blended(references, shares, qkv, rows, **settings)
    for row in range(rows.total):
        own = [x[row] for x in (qkv.q, qkv.k, qkv.v)]
        expected = mixture(*own, references, shares[row // 2, row % images].expand(3, 12), **settings)
        assert torch.allclose(found[row].double(), expected, atol=1e-5)


def test_one_alone_is_the_picture_and_the_same_twice_is_once():
    """Weights (1, 0) are one reference; equal references are one, whatever their weights."""
    one, other = pictures(5, 7)
    alone = blended([one], [[[1.0]]])
    assert torch.equal(blended([one, other], [[[1.0], [0.0]]]), alone)
    for shares in ([0.5, 0.5], [0.9, 0.1]):
        found = blended([one, one], [[[share] for share in shares]])
        assert torch.allclose(found, alone, atol=1e-5)


def test_each_place_sees_its_own_reference():
    """Of two masks side by side: a cell gets what it would get if the whole picture had its reference."""
    references = pictures(5, 7)
    shares = torch.zeros(1, 2, 12)
    shares[0, 0, :6], shares[0, 1, 6:] = 1.0, 1.0
    settings = {"adain": "queries"}  # with keys, the others of the picture would have changed
    found = blended(references, shares, **settings)
    first, second = (blended([one], [[[1.0]]], **settings) for one in references)
    assert torch.allclose(found[:, :, :6], first[:, :, :6], atol=1e-5)
    assert torch.allclose(found[:, :, 6:], second[:, :, 6:], atol=1e-5)


@pytest.mark.parametrize("by_place", [False, True])
def test_mirrored_pictures_give_mirrored_results(by_place):
    """The picture turned round, its references exchanged."""
    left, right = pictures(6, 6)
    rows, mirrored = rows_of(), torch.arange(12).view(GRID).flip(1).flatten()
    qkv = call(rows)
    turned = QKV(*(x[:, :, mirrored] for x in (qkv.q, qkv.k, qkv.v)))
    masks = [torch.tensor([[0.9, 0.7, 0.2]]), torch.tensor([[0.2, 0.7, 0.9]])]
    both = tuple(StyleReference(PICTURE, mask=mask) for mask in masks)
    window, grid = Window(left=0.1, right=0.6), GRID if by_place else (1, 1)
    shares = weights(both, window, grid).float()
    there = weights(both, Window(left=0.4, right=0.9), grid).float()
    found = blended([left, right], shares[None], qkv, rows)
    assert not torch.allclose(found, blended([right, left], shares[None], qkv, rows), atol=0.1)
    assert torch.allclose(blended([right, left], there[None], turned, rows), found[:, :, mirrored], atol=1e-4)


@pytest.mark.parametrize(
    ("window", "expected"),
    [(WHOLE, [0.25, 0.75]), (LEFT, [0.4, 0.6]), (RIGHT, [0.0, 1.0]), (ROUND, [0.25, 0.75])],
    ids=str,
)
def test_weights_of_a_part_of_the_picture(window, expected):
    """Weight times the mean of the mask over the part, in parts of 1; a part may go round the edge."""
    both = StyleReference(PICTURE, weight=2.0, mask=SIDES), StyleReference(PICTURE, weight=3.0)
    assert weights(both, window, (1, 1)).flatten().tolist() == pytest.approx(expected)


def test_weights_of_cells_do_not_hang_on_the_windows():
    """The cells of a window are those of the picture there; the mean of a part is that of its cells."""
    mask = random(7, 11, seed=3).sigmoid()
    one = StyleReference(PICTURE, mask=mask)
    whole = one.share(WHOLE, (6, 8)).view(6, 8)
    part = Window(1 / 6, 6 / 8, 5 / 6, 10 / 8)
    expected = whole.roll(-6, 1)[1:5, :4]
    assert torch.allclose(one.share(part, (4, 4)).view(4, 4), expected)
    assert torch.allclose(one.share(part, (1, 1)), expected.mean())


def test_what_no_reference_reaches_has_no_weights():
    """And is left as it is."""
    mask = StyleReference(PICTURE, mask=SIDES)
    assert not weights((mask,), RIGHT, (1, 1)).any() and StyleReference(PICTURE, weight=0.0).empty
    qkv = call(rows_of())
    assert torch.equal(blended(pictures(4), [[[0.0]]], qkv), attention(qkv, backend))


@pytest.mark.parametrize(
    ("how", "message"),
    [({"weight": -1.0}, "weight is -1; it must be 0 or more"), ({"weight": float("nan")}, "weight is nan")],
)
def test_weights_that_mean_nothing_are_errors(how, message):
    with pytest.raises(ValueError, match=message):
        StyleReference(PICTURE, **how)
