"""Mistakes in self-attention, and round a call of the model."""

from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from attention_control.attention_patches.contract.site import Rows
from attention_control.attention_patches.methods.style_aligned.method import StyleAligned
from attention_control.attention_patches.numerics.adain import adain
from comfy.ldm.modules.attention import CrossAttention

from .ranges import WorksInTheWholeRange


@dataclass(frozen=True, kw_only=True)
class IgnoresItsRange(WorksInTheWholeRange, StyleAligned):
    """Works in an empty range."""


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
