"""The laws are worth nothing if a broken method passes them: each is broken here, and must then fail."""

from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
import torch
from attention_control.attention_patches.adain import adain
from attention_control.attention_patches.methods.style_aligned import StyleAligned
from attention_control.attention_patches.schedule import PercentRange
from attention_control.attention_patches.site import Rows
from comfy.ldm.modules.attention import CrossAttention

from . import laws
from .methods import METHODS

METHOD = METHODS[0]


@dataclass(frozen=True, kw_only=True)
class IgnoresItsRange(StyleAligned):
    """Works in an empty range."""

    off = False

    def __post_init__(self):
        object.__setattr__(self, "during", PercentRange())


class IgnoresOff(StyleAligned):
    """Rewrites the tensors, harmlessly but for rounding, when all is off."""

    off = False

    def wants(self, site):
        return site.kind == "self"

    def __call__(self, site, qkv, attend):
        if self.sharing == "off":
            return attend(replace(qkv, v=qkv.v * 1.1)) / 1.1
        return super().__call__(site, qkv, attend)


class HalvesTheBatch(StyleAligned):
    """Believes that the first half of the batch is unconditional."""

    def __call__(self, site, qkv, attend):
        rows = Rows((1, 0), site.rows.total // 2) if site.rows.total % 2 == 0 else Rows((0,), site.rows.total)
        return super().__call__(replace(site, rows=rows), qkv, attend)


class TakesTheFirstRow(StyleAligned):
    """Takes the first row of the batch as the reference of every chunk."""

    def __call__(self, site, qkv, attend):
        return super().__call__(replace(site, rows=Rows((0,), site.rows.total)), qkv, attend)


class AlignsToTheMean(StyleAligned):
    """Statistics over all images, so every image reaches every other."""

    def __call__(self, site, qkv, attend):
        everything = qkv.q.transpose(0, 2).flatten(1, 2)[None].transpose(1, 2)
        return super().__call__(site, replace(qkv, q=adain(qkv.q, everything.mean(1, keepdim=True))), attend)


class ChangesTheReference(StyleAligned):
    """Normalises the reference to itself: the same but for rounding."""

    def __call__(self, site, qkv, attend):
        return super().__call__(site, replace(qkv, q=adain(qkv.q, qkv.q)), attend)


class AssumesSquare(StyleAligned):
    """Takes the reference for a square of tokens."""

    def __call__(self, site, qkv, attend):
        side = int(qkv.q.shape[-2] ** 0.5)
        aligned = self._align(qkv, site.rows)
        k, v = (
            site.rows.split(x)[:, :1, :, : side * side].expand(-1, site.rows.images, -1, -1, -1).flatten(0, 1)
            for x in (qkv.k, qkv.v)
        )
        return attend(aligned.append(k, v, rows=site.rows.all_but(0)))


class LeavesAFunctionBehind(StyleAligned):
    """Wraps the group norm of everyone for the time of a run."""

    def around(self, rows):
        return _wrapped(torch.nn.functional, "group_norm")


@contextmanager
def _wrapped(owner, name):
    original = getattr(owner, name)
    setattr(owner, name, lambda *args, **kwargs: original(*args, **kwargs))
    try:
        yield
    finally:
        setattr(owner, name, original)


class PatchesAModule(StyleAligned):
    """Replaces the forward of the host's attention during a run."""

    def around(self, rows):
        return _wrapped(CrossAttention, "forward")


class DoesNotCleanUp(StyleAligned):
    """Restores the group norm only if all goes well."""

    def around(self, rows):
        return _careless_group_norm()


@contextmanager
def _careless_group_norm():
    original = torch.nn.functional.group_norm
    torch.nn.functional.group_norm = lambda *args, **kwargs: original(*args, **kwargs)
    yield
    torch.nn.functional.group_norm = original


class Remembers(StyleAligned):
    """Takes its reference from the run before."""

    memory = {}  # noqa: RUF012  the mistake in question

    def __call__(self, site, qkv, attend):
        last = self.memory.get(site.layer.ordinal)
        self.memory[site.layer.ordinal] = qkv.k
        fits = last is not None and last.shape == qkv.k.shape
        return super().__call__(site, replace(qkv, k=qkv.k + 0.01 * last) if fits else qkv, attend)


class StartsLate(StyleAligned):
    """Leaves out the start of its range, so neighbours leave a gap."""

    def wants(self, site):
        return super().wants(site) and not (self.during.start > 0 and site.progress <= 0.5)


class BiasedVariance(StyleAligned):
    """Divides by N instead of N - 1 on one side only."""

    def _align(self, qkv, rows):
        aligned = super()._align(qkv, rows)
        n = qkv.q.shape[-2]
        return replace(aligned, q=aligned.q * ((n - 1) / n) ** 0.5)


class RollsDice(StyleAligned):
    """Adds a little noise from the global generator."""

    def __call__(self, site, qkv, attend):
        return super().__call__(site, replace(qkv, v=qkv.v + 1e-3 * torch.randn_like(qkv.v)), attend)


class IgnoresLayers(StyleAligned):
    """Works in every self-attention."""

    def wants(self, site):
        return site.kind == "self"


class ReturnsFloat(StyleAligned):
    """Forgets to return to the dtype it was given."""

    def __call__(self, site, qkv, attend):
        return super().__call__(site, qkv, attend).float()


class BooleanMask(StyleAligned):
    """Masks with booleans."""

    def __call__(self, site, qkv, attend):
        return super().__call__(site, replace(qkv, bias=torch.ones(1, 1, 1, 1, dtype=torch.bool)), attend)


class BlindsAQuery(StyleAligned):
    """Masks every key."""

    def __call__(self, site, qkv, attend):
        lowest = torch.finfo(qkv.q.dtype).min
        return attend(qkv.add_bias(torch.full((1, 1, 1, qkv.k.shape[2]), lowest, dtype=qkv.q.dtype)))


@dataclass(frozen=True)
class Mutation:
    """`complaint`: what the law says of it, so that it fails for the right reason."""

    law: object
    patch: type[StyleAligned]
    complaint: str


MUTATIONS = [
    Mutation(laws.off_is_off, IgnoresItsRange, "changes the images"),
    Mutation(laws.off_is_off, IgnoresOff, "changes the images"),
    Mutation(laws.calls_do_not_matter, HalvesTheBatch, "differs by"),
    Mutation(laws.calls_do_not_matter, TakesTheFirstRow, "differs by"),
    Mutation(laws.rows_do_not_leak, AlignsToTheMean, "same = False"),
    Mutation(laws.rows_do_not_leak, TakesTheFirstRow, "should stay|same ="),
    Mutation(laws.rows_do_not_leak, ChangesTheReference, "should stay as it is"),
    Mutation(laws.any_size, AssumesSquare, "differs by"),
    Mutation(laws.any_size, IgnoresLayers, "differs by"),
    Mutation(laws.nothing_is_left, LeavesAFunctionBehind, "changed during a run"),
    Mutation(laws.nothing_is_left, PatchesAModule, "changed during a run"),
    Mutation(laws.nothing_is_left, DoesNotCleanUp, "changed during a run|left behind"),
    Mutation(laws.nothing_is_left, Remembers, "otherwise afterwards"),
    Mutation(laws.patches_compose, IgnoresItsRange, "not the union"),
    Mutation(laws.patches_compose, StartsLate, "not the union"),
    Mutation(laws.equals_naive, BiasedVariance, "off by"),
    Mutation(laws.same_seed_same_image, RollsDice, "random numbers were drawn"),
    Mutation(laws.same_seed_same_image, Remembers, "another picture"),
    Mutation(laws.keeps_precision, ReturnsFloat, "gave torch.float32"),
    Mutation(laws.keeps_precision, BooleanMask, "must be float"),
    Mutation(laws.keeps_precision, BlindsAQuery, "a query sees nothing"),
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: f"{m.law.__name__}-{m.patch.__name__}")
def test_law_bites(mutation, monkeypatch):
    """A method broken in this way fails the law that forbids it."""
    for owner, name in ((torch.nn.functional, "group_norm"), (CrossAttention, "forward")):
        monkeypatch.setattr(owner, name, getattr(owner, name))  # put back whatever the mutation leaves
    broken = METHOD.with_patch(mutation.patch)
    mutation.law(METHOD, "sd15")
    with pytest.raises((AssertionError, TypeError), match=mutation.complaint):
        mutation.law(broken, "sd15")


def test_every_law_is_broken_once():
    """No law is without a mutation."""
    assert {mutation.law for mutation in MUTATIONS} == set(laws.LAWS)
