"""The guidance of Bounded Attention without a model: its loss with loops, its steps and its layers."""

import pytest
import torch
from attention_control.attention_patches.attention.attention_map import attention_map
from attention_control.attention_patches.contract.call.qkv import QKV
from attention_control.attention_patches.contract.call.site import Rows, Site, Text
from attention_control.attention_patches.contract.layers.layer import Layer
from attention_control.attention_patches.layout.regions import Layout, Subject
from attention_control.attention_patches.layout.shifting import Progress
from attention_control.attention_patches.methods.bounded_attention.bounds import Outlines
from attention_control.attention_patches.methods.bounded_attention.guidance import BoundedGuidance, step_size
from attention_control.attention_patches.methods.bounded_attention.spill import (
    Spill,
    cross_masses,
    self_masses,
    subject_losses,
)

from .batches import batch

GRID, CELLS, TOKENS = (4, 6), 24, 9
LEFT = Subject("red cat", (1, 2), ((0.0, 0.0, 0.5, 0.75),))
RIGHT = Subject("cat", (2,), ((0.5, 0.25, 0.9, 1.0),))
LOW = Subject("owl", (4,), ((0.1, 0.7, 0.9, 1.0),))  # over parts of both
LAYOUT = Layout(((LEFT, RIGHT, LOW), (RIGHT,), ()), fillers=(3,), ends=(6,))


def naive(cross_maps, self_maps, image, cross=1.5, own=0.5):
    """Lists of (H, N, M), float64 -> the paper's loss of one image, a sum over its subjects."""
    subjects = LAYOUT.images[image]
    masks = [subject.cells(GRID).flatten().tolist() for subject in subjects]
    total = torch.zeros(())
    for s, subject in enumerate(subjects):
        for maps, weight in ((cross_maps, cross), (self_maps, own)):
            if maps is cross_maps:
                columns = [*subject.token_positions, *LAYOUT.ends]
            else:
                columns = [c for c in range(CELLS) if masks[s][c]]
            front = back = 0.0
            for map_ in maps:
                for head in map_:
                    for p in range(CELLS):
                        for c in columns:
                            if masks[s][p]:
                                front += head[p, c]
                            if not any(mask[p] for mask in masks):
                                back += head[p, c]
            front, back = front / len(maps), back / len(maps)
            total = total + weight * (1 - front / (front + len(subjects) * back)) ** 2
    return total


def site(ordinal, kind):
    layer = Layer(ordinal, 7, "middle", 0, 0)
    rows = Rows((0,), 3, (Text("positive", 0, TOKENS),))
    return Site("U-Net", kind, layer, GRID, slice(0, 0), slice(0, TOKENS), 2, 0.0, 2.0, rows)


def calls(dtype=torch.float64):
    """Two layers of both attentions, three images."""
    generator = torch.manual_seed(1)
    return {
        (n, kind): QKV(
            *(
                torch.randn(3, 2, m, 8, generator=generator, dtype=torch.float64).to(dtype)
                for m in (CELLS, keys, keys)
            )
        )
        for n in (4, 5)
        for kind, keys in (("self", CELLS), ("cross", TOKENS))
    }


def spill(**weights):
    return Spill(layout=LAYOUT, **weights)


def losses(objective, dtype=torch.float64):
    measured = {place: objective.measure(site(*place), qkv) for place, qkv in calls(dtype).items()}
    return objective.loss(measured, 3)


@pytest.mark.parametrize("weights", [{}, {"cross_weight": 0.0}, {"self_weight": 0.0}, {"cross_weight": 3.0}])
def test_the_loss_is_the_papers(weights):
    """Sums over heads, cells and columns, means over layers, for each image by its own subjects, who share
    words and overlap; ours is the mean over subjects. An image without subjects has none."""
    maps = {place: attention_map(qkv) for place, qkv in calls().items()}
    found = losses(spill(**weights))
    for image, count in enumerate((3, 1)):
        cross, own = ([maps[n, kind][image] for n in (4, 5)] for kind in ("cross", "self"))
        short = {name.removesuffix("_weight").replace("self", "own"): w for name, w in weights.items()}
        assert torch.allclose(found[image] * count, naive(cross, own, image, **short), rtol=1e-10)
    assert found[2] == 0


def test_the_loss_is_of_the_boxes_when_masks_have_been_found():
    """As the authors' is, should guidance go on behind the first search."""
    found = {0: torch.ones(3, *GRID), 1: torch.ones(1, *GRID)}
    guidance = BoundedGuidance(step_sizes=(8.0, 2.0), layers=frozenset({4, 5}))
    progress = Progress(LAYOUT, lambda line: None)
    guide = guidance.begin(batch(images=3), Outlines(LAYOUT, found), (frozenset(),) * 2, progress)
    assert torch.equal(losses(guide.spill), losses(spill()))


def test_half_precision_is_computed_in_float32():
    """The maps, the sums and the loss."""
    found = losses(spill(), torch.float16)
    assert found.dtype == torch.float32
    assert torch.allclose(found.double(), losses(spill()), rtol=0.01)


def test_nothing_in_the_background_is_no_loss():
    """All of a subject's attention in its cells, or no background at all: 0; all outside: 1."""
    masks = LAYOUT.masks(GRID, 1).double()
    map_ = torch.zeros(1, CELLS, CELLS, dtype=torch.float64)
    cell = int(masks[0].nonzero()[0])
    map_[0, cell, cell] = 1.0
    assert subject_losses(self_masses(map_, masks)).tolist() == [0.0]
    assert subject_losses(self_masses(map_.roll(1, dims=1) * 0 + 0.1, torch.ones_like(masks))).tolist() == [
        0.0
    ]
    outside = torch.zeros(1, CELLS, TOKENS, dtype=torch.float64)
    outside[0, 0, 2] = 1.0
    assert subject_losses(cross_masses(outside, masks, LAYOUT, 1)).tolist() == [1.0]


@pytest.mark.parametrize("sigma", [0.1, 1.0, 14.6])
def test_a_step_is_the_authors_in_their_scale(sigma):
    """Shifting the host's latents and dividing is shifting the authors' latents by their own step."""
    x = torch.randn(3, 5, dtype=torch.float64, generator=torch.manual_seed(2))

    def loss(z):
        return (z.sin() * torch.arange(5.0, dtype=torch.float64)).sum()

    scale = (1 + sigma**2) ** 0.5
    host, theirs = x.clone().requires_grad_(), (x / scale).requires_grad_()
    (by_host,) = torch.autograd.grad(loss(host / scale), host)
    (by_theirs,) = torch.autograd.grad(loss(theirs), theirs)
    eta = 18 + (5 - 18) / 15 * 4  # the fifth of fifteen steps
    ours = (x - step_size((18.0, 5.0), 4 / 15, sigma) * by_host) / scale
    assert torch.allclose(ours, x / scale - eta * by_theirs, rtol=1e-12)
