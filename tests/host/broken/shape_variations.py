"""Shape variations with one mistake each."""

from dataclasses import dataclass, field, replace

import torch
from attention_control.attention_patches.methods.shape_variations.method import ShapeVariations
from attention_control.attention_patches.methods.shape_variations.mixing import Mixing

from .at_work import Broken, Floats, RemembersKeys
from .ranges import WorksInTheWholeRange


@dataclass(frozen=True, kw_only=True)
class IgnoresItsRange(WorksInTheWholeRange, ShapeVariations):
    """Mixes prompts in an empty range."""


class GivesTheProxysKeys(Broken, ShapeVariations):
    """Leaves keys as they are, so that words are looked at where the proxy's prompt has them."""

    class at_work(Mixing):
        def __call__(self, site, qkv, attend):
            return super().__call__(site, qkv, lambda mixed: attend(replace(mixed, k=qkv.k)))


class LeavesOutTheFirstChunk(Broken, ShapeVariations):
    """Takes the first chunk of a call for the negative one, as it is where both come in one call."""

    class at_work(Mixing):
        def __call__(self, site, qkv, attend):
            rows = replace(site.rows, texts=(None, *site.rows.texts[1:]))
            return super().__call__(replace(site, rows=rows), qkv, attend)


class TakesTheLastRow(Broken, ShapeVariations):
    """Takes the last image for the original."""

    class at_work(Mixing):
        def __call__(self, site, qkv, attend):
            turned = replace(qkv, q=qkv.q.flip(0), k=qkv.k.flip(0), v=qkv.v.flip(0))
            rows = replace(site.rows, texts=site.rows.texts[::-1], windows=site.rows.windows[::-1])
            return super().__call__(
                replace(site, rows=rows),
                turned,
                lambda mixed: attend(replace(mixed, q=qkv.q, k=mixed.k.flip(0), v=mixed.v.flip(0))),
            )


class IgnoresLayers(Broken, ShapeVariations):
    """Works in every cross-attention."""

    class at_work(Mixing):
        def wants(self, site):
            return site.kind == "cross"


class Remembers(Broken, ShapeVariations):
    """Adds a little of the keys of the run before."""

    class at_work(RemembersKeys, Mixing):
        memory = {}  # noqa: RUF012  the mistake in question


class StartsLate(Broken, ShapeVariations):
    """Does not start where its range begins late, so neighbours leave a gap."""

    @dataclass(kw_only=True)
    class at_work(Mixing):
        late: bool = False

        def wants(self, site):
            return super().wants(site) and not self.late

    def _at_work(self, part):
        return replace(super()._at_work(part), late=self.during.start > 0)


class RollsDice(Broken, ShapeVariations):
    """Adds a little noise from the global generator."""

    class at_work(Mixing):
        def __call__(self, site, qkv, attend):
            return super().__call__(site, replace(qkv, k=qkv.k + 1e-3 * torch.randn_like(qkv.k)), attend)


class CountsSteps(Broken, ShapeVariations):
    """Works in the first step of each run."""

    @dataclass(kw_only=True)
    class at_work(Mixing):
        first: list[float] = field(default_factory=list)

        def wants(self, site):
            self.first.append(site.sigma)
            return super().wants(site) and site.sigma == self.first[0]


class ReturnsFloat(Broken, ShapeVariations):
    """Forgets to return to the dtype it was given."""

    class at_work(Floats, Mixing):
        pass
