"""Which keys a cell may look at, against the paper's words written out as loops."""

import pytest
import torch
from attention_control.attention_patches.attention import head_columns
from attention_control.attention_patches.attention.attention import attention
from attention_control.attention_patches.contract.call.qkv import QKV
from attention_control.attention_patches.contract.call.site import Rows, Site, Text
from attention_control.attention_patches.contract.layers.layer import Layer
from attention_control.attention_patches.layout.regions import Layout, Subject
from attention_control.attention_patches.methods.bounded_attention.bounds import (
    Bounds,
    Outlines,
    cross_closed,
    self_closed,
)
from torch.nn.functional import scaled_dot_product_attention

GRID = (4, 6)
CAT, DOG, OWL = ((0.0, 0.0, 0.5, 0.5), (0.25, 0.25, 0.75, 1.0), (0.9, 0.9, 1.0, 1.0))
WORDS = 7


def layout(**further):
    """Cat and dog overlap and share the word 4; the owl is alone."""
    subjects = (Subject("cat", (2, 4), (CAT,)), Subject("dog", (4,), (DOG,)), Subject("owl", (5,), (OWL,)))
    return Layout((subjects,), fillers=(1, 3), ends=(6,), **further)


def naive_self(masks):
    """Cell by cell."""
    masks = masks.bool().T.tolist()
    closed = []
    for p in masks:
        row = []
        for q in masks:
            background_key, background_query = not any(q), not any(p)
            own = any(a and b for a, b in zip(p, q, strict=True))
            row.append(not (background_key or background_query or own))
        closed.append(row)
    return torch.tensor(closed)


def naive_cross(masks, layout, guiding):
    """Cell by cell and word by word."""
    subjects = layout.images[0]
    closed = []
    for cell in masks.bool().T.tolist():
        row = []
        for word in range(WORDS):
            owners = [n for n, subject in enumerate(subjects) if word in subject.token_positions]
            if owners:
                sees = any(cell[n] for n in owners) or (guiding and not any(cell))
            elif word in layout.fillers:
                sees = False
            else:
                sees = guiding or any(cell) or word not in layout.ends
            row.append(not sees)
        closed.append(row)
    return torch.tensor(closed)


def test_self_attention_is_bounded():
    """Own cells and background; overlapping subjects see one another only through their common cells."""
    masks = layout().masks(GRID, 0)
    assert torch.equal(self_closed(masks), naive_self(masks))
    assert self_closed(masks).any() and not self_closed(masks).all(1).any()


@pytest.mark.parametrize("guiding", [False, True])
def test_cross_attention_is_bounded(guiding):
    """Words for their cells, fillers for none, the end not for the background; otherwise while guiding."""
    masks = layout().masks(GRID, 0)
    got = cross_closed(masks, layout(), 0, WORDS, WORDS, guiding)
    assert torch.equal(got, naive_cross(masks, layout(), guiding))


def test_every_copy_of_a_text_is_bounded():
    """And tokens that are not the text's are not."""
    masks = layout().masks(GRID, 0)
    once = cross_closed(masks, layout(), 0, WORDS, WORDS, False)
    got = cross_closed(masks, layout(), 0, WORDS, 3 * WORDS, False)
    assert torch.equal(got, once.repeat(1, 3))
    extra = cross_closed(masks, layout(), 0, WORDS, WORDS + 2, False)
    assert torch.equal(extra[:, :WORDS], once) and not extra[:, WORDS:].any()


def test_a_box_over_all_closes_only_fillers():
    """Nothing but what the paper says."""
    whole = Layout(((Subject("cat", (2,), ((0, 0, 1, 1),)),),), fillers=(1,), ends=(6,))
    masks = whole.masks(GRID, 0)
    assert not self_closed(masks).any()
    closed = cross_closed(masks, whole, 0, WORDS, WORDS, False)
    assert closed[:, 1].all() and not closed[:, [0, 2, 3, 4, 5, 6]].any()


def site(kind, texts, images=1):
    return Site(
        family="U-Net",
        kind=kind,
        layer=Layer(1, 1, "input", 1, 0),
        grid=GRID,
        image_tokens=slice(0, 24 if kind == "self" else 0),
        text_tokens=slice(0, WORDS if kind == "cross" else 0),
        heads=2,
        percent=0.0,
        sigma=1.0,
        rows=Rows(tuple(range(len(texts))), images, texts),
    )


POSITIVE, NEGATIVE = Text("positive", 0, WORDS), Text("negative", 0, WORDS)


def call(rows, keys, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(rows, 2, n, 8, generator=generator).to(dtype) for n in (24, keys, keys))
    return QKV(q, k, v)


@pytest.fixture(params=[0, 2**21], ids=["in the heads", "as a mask"])
def few_or_many_pairs(request, monkeypatch):
    """Biases are columns of the heads on large grids, and masks on small ones."""
    monkeypatch.setattr(head_columns, "FEWEST_PAIRS", request.param)


def weights(bounds, where, qkv):
    """(B, N, M): where each cell looks, through the attention itself."""
    eye = torch.eye(qkv.k.shape[2]).expand(*qkv.k.shape[:2], -1, -1)
    seen = QKV(qkv.q, qkv.k, eye.to(qkv.q.dtype))

    def backend(q, k, v, bias):
        return scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=seen.logit_scale)

    out = bounds(where, seen, lambda x: attention(x, backend, backend))
    return out.float().mean(1)


@pytest.mark.usefixtures("few_or_many_pairs")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_closed_keys_get_nothing(dtype):
    """In every type; only the prompt's rows are bounded in cross-attention, all in self-attention."""
    bounds = Bounds(layers=frozenset({1}), outlines=Outlines(layout()))
    masks = layout().masks(GRID, 0)
    cross = weights(bounds, site("cross", (NEGATIVE, POSITIVE)), call(2, WORDS, dtype))
    assert torch.equal(cross[1] == 0, naive_cross(masks, layout(), False))
    assert (cross[0] > 0).all()
    own = weights(bounds, site("self", (NEGATIVE, POSITIVE)), call(2, 24, dtype))
    assert torch.equal(own == 0, naive_self(masks).expand(2, -1, -1))


@pytest.mark.usefixtures("few_or_many_pairs")
def test_images_have_layouts_of_their_own():
    """One without subjects stays as it is, fillers and all."""
    both = Layout((layout().images[0], ()), fillers=(1, 3), ends=(6,))
    bounds = Bounds(layers=frozenset({1}), outlines=Outlines(both))
    masks = both.masks(GRID, 0)
    cross = weights(bounds, site("cross", (POSITIVE, NEGATIVE), 2), call(4, WORDS))
    assert torch.equal(cross[0] == 0, naive_cross(masks, layout(), False))
    assert (cross[1:] > 0).all()
    own = weights(bounds, site("self", (POSITIVE, NEGATIVE), 2), call(4, 24))
    for row in (0, 2):
        assert torch.equal(own[row] == 0, naive_self(masks)) and (own[row + 1] > 0).all()


def test_masks_are_made_once():
    """For all calls of one kind until the outlines change, and not for each."""
    bounds = Bounds(layers=frozenset({1}), outlines=Outlines(layout()))
    for kind, keys in (("self", 24), ("cross", WORDS)):
        first, again = (bounds.bounded(site(kind, (POSITIVE,)), call(1, keys)).columns[0] for _ in range(2))
        assert again is first
        other = bounds.bounded(site(kind, (POSITIVE,), 2), call(2, keys)).columns[0]
        bounds.kept.clear()
        assert bounds.bounded(site(kind, (POSITIVE,)), call(1, keys)).columns[0] is not first is not other


def test_where_it_works():
    """Self-attention everywhere, cross-attention where the prompt is; unknown texts are left alone."""
    bounds = Bounds(layers=frozenset({1}), outlines=Outlines(layout()))
    assert bounds.wants(site("self", (None,))) and bounds.wants(site("cross", (None, POSITIVE)))
    assert not bounds.wants(site("cross", (NEGATIVE, None)))
    assert not Bounds(layers=frozenset({2}), outlines=Outlines(layout())).wants(site("self", (POSITIVE,)))


def test_found_masks_take_the_place_of_boxes():
    """On other grids the nearest cell counts, but no subject vanishes there."""
    found = torch.zeros(2, 4, 4)
    found[0, :, :2], found[1, 3, 3] = 1, 1
    subjects = (Subject("cat", (1,), (CAT,)), Subject("dog", (2,), (DOG,)))
    outlines = Outlines(Layout((subjects, subjects)), {1: found})
    assert torch.equal(outlines.masks((4, 4), 1), found.flatten(1))
    assert outlines.masks((2, 2), 1).tolist() == [[1, 0, 1, 0], [0, 0, 0, 1]]
    assert torch.equal(
        outlines.masks((8, 8), 1), found.repeat_interleave(2, 1).repeat_interleave(2, 2).flatten(1)
    )
    assert torch.equal(outlines.masks((4, 4), 0), outlines.layout.masks((4, 4), 0))
