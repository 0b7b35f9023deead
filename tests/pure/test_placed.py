"""The figures of a report: all subjects and images at once, on what was made once."""

import pytest
import torch
from attention_control.attention_patches.contract.call.qkv import QKV
from attention_control.attention_patches.contract.call.site import Rows, Site, Text, Window
from attention_control.attention_patches.contract.layers.layer import Layer
from attention_control.attention_patches.layout.placed import placed
from attention_control.attention_patches.layout.regions import Layout, Subject
from attention_control.attention_patches.layout.shifting import Progress
from torch.utils._python_dispatch import TorchDispatchMode

GRID, TOKENS = (4, 6), 9
LEFT, RIGHT, ALL = ((0.0, 0.0, 0.5, 1.0),), ((0.6, 0.5, 1.0, 1.0),), ((0.0, 0.0, 1.0, 1.0),)
TWO = (Subject("red cat", (1, 2), LEFT), Subject("dog", (4,), RIGHT))
FOUR = (*TWO, Subject("owl", (2, 5, 7), RIGHT), Subject("sky", (8,), ALL))


def naive(map_, layout, window=None):
    """Image by image, subject by subject, head by head, token by token."""
    found = {}
    for image, own in enumerate(map_.double()):
        masks = layout.masks(GRID, image, *([] if window is None else [window]))
        for number, (subject, mask) in enumerate(zip(layout.subjects(image), masks, strict=True)):
            parts = [
                (head[:, token] * mask).sum() / head[:, token].sum()
                for head in own
                for token in subject.token_positions
            ]
            if mask.any():
                found[image, number] = float(torch.stack(parts).mean())
    return found


@pytest.mark.parametrize("window", [None, Window(right=0.5)], ids=["whole", "left half"])
@pytest.mark.parametrize("images", [(TWO, FOUR, ()), (FOUR,)], ids=["each its own", "one for all"])
def test_the_shares_are_those_of_loops(images, window):
    """Images with other subjects, or with none; a subject that lies elsewhere does not count."""
    layout = Layout(images)
    map_ = torch.rand(3, 2, 24, TOKENS, generator=torch.manual_seed(0))
    where = placed(layout, GRID, window or Window(), 3, map_)
    shares, expected = where.inside(map_), naive(map_, layout, window)
    assert list(where.there) == sorted(expected)
    for (image, number), share in expected.items():
        assert shares[image, number] == pytest.approx(share, abs=1e-6)


class Operations(TorchDispatchMode):
    """Counts them, as each is a call of the device."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += 1
        return func(*args, **(kwargs or {}))


def looks(images, subjects):
    """Operations of the first look at an attention call, and of the second, whose result is another."""
    rows = Rows((0,), images, (Text("positive", 0, TOKENS),))
    site = Site(
        family="U-Net",
        kind="cross",
        layer=Layer(4, 7, "middle", 0, 0),
        grid=GRID,
        image_tokens=slice(0, 0),
        text_tokens=slice(0, TOKENS),
        heads=2,
        percent=0.0,
        sigma=1.0,
        rows=rows,
    )
    progress = Progress(Layout((subjects,)), lambda line: None, frozenset({4}))
    counts = []
    for seed in (0, 1):
        q, k = (torch.randn(images, 2, n, 8, generator=torch.manual_seed(seed)) for n in (24, TOKENS))
        with Operations() as operations:
            progress.watch(site, QKV(q, k, k))
        counts.append(operations.count)
    (before,), (after,) = progress.before.values(), progress.after.values()
    assert not torch.equal(before, after)
    return counts


def test_a_look_costs_the_same_for_any_number_of_images_and_subjects():
    """Nothing is done for each of them, and masks are made once."""
    (_, few), (first, many) = looks(2, TWO), looks(3, FOUR)
    assert few == many < first
