"""The order in which parts see an attention call."""

from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch
from attention_control.attention_patches.attention.chain import chain
from attention_control.attention_patches.contract.call.qkv import QKV
from attention_control.attention_patches.contract.method import Method
from attention_control.attention_patches.contract.schedule import PercentRange

ONES = QKV(*(torch.ones(1, 1, 1, 1) for _ in range(3)))


@dataclass
class OnValues:
    """Values times `factor` plus `term` on the way in, `factor` in a list on the way out."""

    log: list
    factor: float = 1.0
    term: float = 0.0
    order: ClassVar = "edit"

    def wants(self, site):
        return True

    def __call__(self, site, qkv, attend):
        out = attend(replace(qkv, v=qkv.v * self.factor + self.term))
        self.log.append(self.factor)
        return out


class Swapping(OnValues):
    order = "swap"


class Observing(OnValues):
    order = "observe"


def test_the_later_node_is_the_outer_one():
    """The last part sees the call first and the result last."""
    log = []
    first, second = OnValues(log, factor=10.0), OnValues(log, factor=2.0, term=1.0)
    out = chain([first, second], None, lambda qkv: qkv.v)(ONES)
    assert float(out) == (1 * 2 + 1) * 10
    assert log == [10.0, 2.0]


def test_observers_stand_inside_swaps_and_swaps_inside_edits():
    """Whatever the order of their nodes."""
    log = []
    parts = [OnValues(log, 1.0), Observing(log, 2.0), Swapping(log, 3.0), OnValues(log, 4.0)]
    chain(parts, None, lambda qkv: qkv.v)(ONES)
    assert log == [2.0, 3.0, 1.0, 4.0]


def test_no_parts_is_the_attention_itself():
    """An empty chain is its end."""
    assert chain([], None, lambda qkv: qkv.q)(ONES) is ONES.q


def test_an_empty_range_is_off_and_a_method_must_begin():
    """What a method does not override does nothing, but nothing at all is no method."""
    assert not Method().off
    assert Method(during=PercentRange(0.5, 0.5)).off
    assert Method().looking == Method() and not Method().guides
    with pytest.raises(NotImplementedError):
        Method().begin(None)
