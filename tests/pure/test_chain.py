"""The order in which patches see an attention call."""

from dataclasses import dataclass, replace

import torch
from attention_control.attention_patches.contract.method import Patch, chain
from attention_control.attention_patches.contract.qkv import QKV
from attention_control.attention_patches.contract.schedule import PercentRange

ONES = QKV(*(torch.ones(1, 1, 1, 1) for _ in range(3)))


@dataclass(frozen=True, kw_only=True)
class OnValues(Patch):
    """Values times `factor` plus `term` on the way in, `note` in a list on the way out."""

    factor: float = 1.0
    term: float = 0.0
    log: list

    def __call__(self, site, qkv, attend):
        out = attend(replace(qkv, v=qkv.v * self.factor + self.term))
        self.log.append(self.factor)
        return out


def test_the_later_node_is_the_outer_one():
    """The last patch sees the call first and the result last."""
    log = []
    first, second = OnValues(factor=10.0, log=log), OnValues(factor=2.0, term=1.0, log=log)
    out = chain([first, second], None, lambda qkv: qkv.v)(ONES)
    assert float(out) == (1 * 2 + 1) * 10
    assert log == [10.0, 2.0]


def test_no_patches_is_the_attention_itself():
    """An empty chain is its end."""
    assert chain([], None, lambda qkv: qkv.q)(ONES) is ONES.q


def test_a_bare_patch_changes_nothing_and_an_empty_range_is_off():
    """What a method does not override does nothing."""
    assert chain([Patch()], None, lambda qkv: qkv)(ONES) is ONES
    assert not Patch().off
    assert Patch(during=PercentRange(0.5, 0.5)).off
