"""When and where Bounded Attention looks for its subjects, and what it says of them."""

from types import SimpleNamespace

import pytest
import torch
from attention_control.attention_patches.contract.call.qkv import QKV
from attention_control.attention_patches.contract.layers.layer import Layer
from attention_control.attention_patches.contract.layers.layer_map import LayerMap
from attention_control.attention_patches.contract.layers.layer_size import LayerSize
from attention_control.attention_patches.contract.layers.preset import Preset
from attention_control.attention_patches.contract.schedule import PercentRange
from attention_control.attention_patches.layout.regions import Layout, Subject
from attention_control.attention_patches.methods.bounded_attention.guidance import GUIDANCE_PRESET
from attention_control.attention_patches.methods.bounded_attention.method import (
    SEARCH_PRESET,
    BoundedAttention,
)

from .batches import batch

LEFT, RIGHT = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)
LAYOUT = Layout(((Subject("cat", (1,), (LEFT,)), Subject("dog", (2,), (RIGHT,))),), ends=(3,))


def at_work(**settings):
    """A run that has seen random attention of one layer of 4 x 4 cells."""
    layers = LayerMap("U-Net", (Layer(1, 1, "output", 1, 0),))
    presets = {SEARCH_PRESET: Preset(frozenset({1})), GUIDANCE_PRESET: Preset(frozenset({1}), (8.0, 2.0))}
    method = BoundedAttention(layers=frozenset({1}), layout=LAYOUT, **settings)
    (run,) = method.begin(batch(layers=layers, layer_sizes={1: LayerSize((4, 4), 2, 8)}, presets=presets))
    q, k = (torch.randn(1, 2, n, 8, generator=torch.Generator().manual_seed(n)) for n in (16, 4))
    run.search.evidence.add_self(QKV(q, q, q), slice(0, 1))
    run.search.evidence.add_cross(QKV(q, k, k), slice(0, 1), 4, [(1, 2)])
    return run


def walk(run, percents, within=True):
    for percent in percents:
        assert not run.shift(torch.zeros(1), Call(percent, within))
    return list(run.search.rounds.values())


class Call(SimpleNamespace):
    """A call of a sampler at this percent of the schedule."""

    def __init__(self, percent, within):
        super().__init__(percent=percent, whole=within)

    def within(self, range_):
        whole = range_ == PercentRange()
        return self.whole if whole else range_.start <= self.percent + 1e-6 < range_.end


@pytest.mark.parametrize(
    ("steps", "start", "every", "expected"),
    [
        (50, 0.3, 0.1, [15, 20, 25, 30, 35, 40, 45]),  # the paper
        (20, 0.3, 0.25, [6, 11, 16]),
        (10, 0.0, 0.4, [0, 4, 8]),
        (10, 1.0, 0.1, []),
        (4, 0.3, 0.1, [2, 3]),  # fewer steps than times: once in each
    ],
)
def test_when_subjects_are_found(steps, start, every, expected):
    """From a percent of the schedule on, then after every such part of it; calls between do not count."""
    calls = [(step + part) / steps for step in range(steps) for part in (0.0, 0.5 / steps)]
    found = walk(at_work(refine_from=start, refine_every=every), calls)
    assert found == pytest.approx([step / steps for step in expected])


def test_two_halves_of_a_run_find_at_the_same_times():
    """Times hang on the schedule, not on where a run begins."""
    calls = [step / 20 for step in range(20)]
    whole = walk(at_work(), calls)
    assert walk(at_work(), calls[:11]) + walk(at_work(), calls[12:]) == whole


def test_not_outside_its_range():
    """Nothing is sought where the method does not work."""
    assert walk(at_work(refine_every=0.05), [0.5], within=False) == []


def test_a_lost_subject_is_reported():
    """By name, with the times."""
    run = at_work()
    run.search.evidence.words[0].values[:, 1] = 0  # the dog is looked at from nowhere
    walk(run, [0.3])
    assert run.finish(torch.zeros(1)) == (
        "Masks found anew at 0.30 of the schedule. 'dog' of image 0 was not found at times and kept its box."
    )
    assert torch.equal(run.outlines.masks((4, 4), 0)[1], LAYOUT.masks((4, 4), 0)[1])


def test_nothing_to_tell():
    """Before anything was found."""
    assert at_work().finish(torch.zeros(1)) is None
