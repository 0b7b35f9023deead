"""When and where Bounded Attention looks for its subjects, and what it says of them."""

from types import SimpleNamespace

import pytest
import torch
from attention_control.attention_patches.contract.layers import LayerMap
from attention_control.attention_patches.contract.method import Batch, LayerSize
from attention_control.attention_patches.contract.qkv import QKV
from attention_control.attention_patches.contract.site import Layer
from attention_control.attention_patches.layout.regions import Layout, Subject
from attention_control.attention_patches.methods.bounded_attention.method import (
    BoundedAttention,
    finding_layers,
)

LEFT, RIGHT = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)
LAYOUT = Layout(((Subject("cat", (1,), (LEFT,)), Subject("dog", (2,), (RIGHT,))),), ends=(3,))


def batch(steps=10, **grids):
    """A U-Net with one layer in each of the named blocks, of that many cells a side."""
    places = [(name.rstrip("0123456789"), n, side) for n, (name, side) in enumerate(grids.items(), start=1)]
    layers = tuple(Layer(n, len(places), block, n, 0) for block, n, _ in places)
    sizes = {n: LayerSize((side, side), 2, 8) for _, n, side in places}
    return Batch(1, steps=steps, layers=LayerMap("U-Net", layers), sizes=sizes)


@pytest.mark.parametrize(
    ("grids", "expected"),
    [
        (
            {"input1": 64, "input2": 16, "middle": 8, "output3": 16, "output4": 32, "output5": 64},
            {4},
        ),  # SD1.5
        ({"input1": 64, "middle": 32, "output2": 32, "output3": 32, "output4": 64}, {3, 4}),  # SDXL
        ({"input1": 16, "middle": 8, "output2": 8, "output3": 16}, {4}),
        ({"input1": 12, "middle": 3, "output2": 6, "output3": 12}, {4}),  # nothing has 256 cells
        ({"input1": 16, "middle": 8}, {1}),
    ],
)
def test_where_subjects_are_found(grids, expected):
    """The paper's layers in its models: output blocks, the coarsest grid of at least 16 x 16."""
    assert finding_layers(batch(**grids)) == expected


def at_work(steps, **settings):
    """A run that has seen random attention."""
    patch = BoundedAttention(layers=frozenset({1}), layout=LAYOUT, **settings)
    run = patch.begin(batch(steps, output1=4))
    q, k = (torch.randn(1, 2, n, 8, generator=torch.Generator().manual_seed(n)) for n in (16, 4))
    run.evidence.add_self(QKV(q, q, q), slice(0, 1))
    run.evidence.add_cross(QKV(q, k, k), slice(0, 1), 4, [(1, 2)])
    return run


def walk(run, progresses, within=True):
    for progress in progresses:
        run.denoise(torch.zeros(1), model=Call(progress, within))
    return run.rounds


class Call(SimpleNamespace):
    """A call of a sampler at this progress."""

    def __init__(self, progress, within):
        super().__init__(progress=progress, within=within)

    def __call__(self, latents):
        return latents


@pytest.mark.parametrize(
    ("steps", "start", "every", "expected"),
    [
        (50, 0.3, 5, [15, 20, 25, 30, 35, 40, 45]),  # the paper
        (20, 0.3, 5, [6, 11, 16]),
        (10, 0.0, 4, [1, 5, 9]),  # before the first step there is nothing to see
        (10, 1.0, 1, []),
    ],
)
def test_when_subjects_are_found(steps, start, every, expected):
    """After the share of the steps, then every so many; calls within a step do not count."""
    calls = [(step + part) / steps for step in range(steps) for part in (0.0, 0.5)]
    assert walk(at_work(steps, refine_from=start, refine_every=every), calls) == expected


def test_not_outside_its_range():
    """Nothing is sought where the patch does not work."""
    assert walk(at_work(10, refine_every=1), [0.5], within=False) == []


def test_a_lost_subject_is_reported():
    """By number and name, with the steps."""
    run = at_work(10)
    run.evidence.words[0].total[1] = 0  # the dog is looked at from nowhere
    walk(run, [0.3])
    assert run.finish(torch.zeros(1)) == (
        "Masks found anew at steps 4. Subject 2 (dog) of image 0 was not found at times and kept its box."
    )
    assert torch.equal(run.places.masks((4, 4), 0)[1], LAYOUT.masks((4, 4), 0)[1])


def test_nothing_to_tell():
    """Before anything was found."""
    assert at_work(10).finish(torch.zeros(1)) is None
