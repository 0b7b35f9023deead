"""Mistakes in self-attention, and round a call of the model."""

from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import torch
from attention_control.attention_patches.contract.call.site import Rows
from attention_control.attention_patches.methods.style_aligned.method import Alignment, StyleAligned
from attention_control.attention_patches.numerics.adain import adain
from comfy.ldm.modules.attention import CrossAttention

from .at_work import Broken, Floats, RemembersKeys
from .ranges import WorksInTheWholeRange


@dataclass(frozen=True, kw_only=True)
class IgnoresItsRange(WorksInTheWholeRange, StyleAligned):
    """Works in an empty range."""


class IgnoresOff(Broken, StyleAligned):
    """Rewrites the tensors, harmlessly but for rounding, when all is off."""

    off = False
    attends = True

    class at_work(Alignment):
        def wants(self, site):
            return site.kind == "self"

        def __call__(self, site, qkv, attend):
            if self.spec.sharing == "off":
                return attend(replace(qkv, v=qkv.v * 1.1)) / 1.1
            return super().__call__(site, qkv, attend)


class HalvesTheBatch(Broken, StyleAligned):
    """Believes that the first half of the batch is unconditional."""

    class at_work(Alignment):
        def __call__(self, site, qkv, attend):
            rows = (
                Rows((1, 0), site.rows.total // 2)
                if site.rows.total % 2 == 0
                else Rows((0,), site.rows.total)
            )
            return super().__call__(replace(site, rows=rows), qkv, attend)


class TakesTheFirstRow(Broken, StyleAligned):
    """Takes the first row of the batch as the reference of every chunk."""

    class at_work(Alignment):
        def __call__(self, site, qkv, attend):
            return super().__call__(replace(site, rows=Rows((0,), site.rows.total)), qkv, attend)


class AlignsToTheMean(Broken, StyleAligned):
    """Statistics over all images, so every image reaches every other."""

    class at_work(Alignment):
        def __call__(self, site, qkv, attend):
            everything = qkv.q.transpose(0, 2).flatten(1, 2)[None].transpose(1, 2)
            return super().__call__(
                site, replace(qkv, q=adain(qkv.q, everything.mean(1, keepdim=True))), attend
            )


class ChangesTheReference(Broken, StyleAligned):
    """Normalises the reference to itself: the same but for rounding."""

    class at_work(Alignment):
        def __call__(self, site, qkv, attend):
            return super().__call__(site, replace(qkv, q=adain(qkv.q, qkv.q)), attend)


class AssumesSquare(Broken, StyleAligned):
    """Takes the reference for a square of tokens."""

    class at_work(Alignment):
        def __call__(self, site, qkv, attend):
            side = int(qkv.q.shape[-2] ** 0.5)
            aligned = self.aligned(qkv, site)
            k, v = (
                site.rows.split(x)[:, :1, :, : side * side]
                .expand(-1, site.rows.images, -1, -1, -1)
                .flatten(0, 1)
                for x in (qkv.k, qkv.v)
            )
            return attend(aligned.append(k, v, rows=site.rows.all_but(0)))


class LeavesAFunctionBehind(Broken, StyleAligned):
    """Wraps the group norm of everyone for the time of a run."""

    class at_work(Alignment):
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


class PatchesAModule(Broken, StyleAligned):
    """Replaces the forward of the host's attention during a run."""

    class at_work(Alignment):
        def around(self, rows):
            return _wrapped(CrossAttention, "forward")


class DoesNotCleanUp(Broken, StyleAligned):
    """Restores the group norm only if all goes well."""

    class at_work(Alignment):
        def around(self, rows):
            return _careless_group_norm()


@contextmanager
def _careless_group_norm():
    original = torch.nn.functional.group_norm
    torch.nn.functional.group_norm = lambda *args, **kwargs: original(*args, **kwargs)
    yield
    torch.nn.functional.group_norm = original


class Remembers(Broken, StyleAligned):
    """Takes its reference from the run before."""

    class at_work(RemembersKeys, Alignment):
        memory = {}  # noqa: RUF012  the mistake in question


class StartsLate(Broken, StyleAligned):
    """Does not start where its range begins late, so neighbours leave a gap."""

    class at_work(Alignment):
        def wants(self, site):
            return super().wants(site) and not (self.spec.during.start > 0)


class CountsSteps(Broken, StyleAligned):
    """Works in the first step of each run."""

    @dataclass(frozen=True)
    class at_work(Alignment):
        first: list[float] = field(default_factory=list)

        def wants(self, site):
            self.first.append(site.sigma)
            return super().wants(site) and site.sigma == self.first[0]


class BiasedVariance(Broken, StyleAligned):
    """Divides by N instead of N - 1 on one side only."""

    class at_work(Alignment):
        def aligned(self, qkv, site):
            aligned = super().aligned(qkv, site)
            n = qkv.q.shape[-2]
            return replace(aligned, q=aligned.q * ((n - 1) / n) ** 0.5)


class RollsDice(Broken, StyleAligned):
    """Adds a little noise from the global generator."""

    class at_work(Alignment):
        def __call__(self, site, qkv, attend):
            return super().__call__(site, replace(qkv, v=qkv.v + 1e-3 * torch.randn_like(qkv.v)), attend)


class IgnoresLayers(Broken, StyleAligned):
    """Works in every self-attention."""

    class at_work(Alignment):
        def wants(self, site):
            return site.kind == "self"


class ReturnsFloat(Broken, StyleAligned):
    """Forgets to return to the dtype it was given."""

    class at_work(Floats, Alignment):
        pass


class BooleanMask(Broken, StyleAligned):
    """Masks with booleans."""

    class at_work(Alignment):
        def __call__(self, site, qkv, attend):
            return super().__call__(site, replace(qkv, bias=torch.ones(1, 1, 1, 1, dtype=torch.bool)), attend)


class BlindsAQuery(Broken, StyleAligned):
    """Masks every key."""

    class at_work(Alignment):
        def __call__(self, site, qkv, attend):
            lowest = torch.finfo(qkv.q.dtype).min
            return attend(qkv.add_bias(torch.full((1, 1, 1, qkv.k.shape[2]), lowest, dtype=qkv.q.dtype)))
