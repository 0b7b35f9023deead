"""Mistakes in cross-attention by masks, and in what a run finds out."""

from dataclasses import dataclass, field, replace

import torch
from attention_control.attention_patches.methods.bounded_attention.bounding import Bounding
from attention_control.attention_patches.methods.bounded_attention.bounds import Outlines, cross_closed
from attention_control.attention_patches.methods.bounded_attention.method import BoundedAttention

from .at_work import Broken
from .ranges import WorksInTheWholeRange


@dataclass(frozen=True, kw_only=True)
class IgnoresItsRange(WorksInTheWholeRange, BoundedAttention):
    """Works in an empty range."""


class LeavesOutTheFirstChunk(Broken, BoundedAttention):
    """Believes that the first rows of a call are the negative prompt's."""

    class at_work(Bounding):
        def _cross(self, site, qkv):
            rows = replace(site.rows, texts=(None, *site.rows.texts[1:]))
            return super()._cross(replace(site, rows=rows), qkv)


class SharesTheEvidence(Broken, BoundedAttention):
    """Finds every image's subjects by what the first one has shown."""

    class at_work(Bounding):
        def _refine(self, image):
            evidence = self.search.evidence
            subjects = evidence.words[image].values.shape[1]
            evidence.own[image] = evidence.own[0]
            evidence.words[image] = replace(evidence.words[0], values=evidence.words[0].values[:, :subjects])
            return super()._refine(image)


class SwapsHeightAndWidth(Broken, BoundedAttention):
    """Cuts the text's tokens out of a lying picture where it stands."""

    class at_work(Bounding):
        def _cross(self, site, qkv):
            return super()._cross(replace(site, grid=site.grid[::-1]), qkv)


@dataclass(frozen=True, kw_only=True)
class Remembers(BoundedAttention):
    """Starts from the outlines that the last run has found."""

    remembered: dict = field(default_factory=dict)

    def begin(self, batch):
        (part,) = super().begin(batch)
        return [replace(part, outlines=Outlines(self.layout, self.remembered))]


class StartsLate(Broken, BoundedAttention):
    """Does not start cross-attention where its range begins late, so neighbours leave a gap."""

    class at_work(Bounding):
        def wants(self, site):
            late = site.kind == "cross" and self.during.start > 0
            return super().wants(site) and not late


class CountsSteps(Broken, BoundedAttention):
    """Bounds cross-attention in the first step of each run."""

    @dataclass(kw_only=True)
    class at_work(Bounding):
        first: list[float] = field(default_factory=list)

        def wants(self, site):
            self.first.append(site.sigma)
            return super().wants(site) and (site.kind == "self" or site.sigma == self.first[0])


class ShowsFillers(Broken, BoundedAttention):
    """Lets every cell look at words that name nothing."""

    class at_work(Bounding):
        def _cross_closed(self, masks, image, *, text, keys):
            layout = replace(self.outlines.layout, fillers=())
            return cross_closed(masks, layout, image, text, keys, self.guiding)


class BoundsTheNegative(Broken, BoundedAttention):
    """Closes the same tokens in the negative prompt, where they are other words."""

    class at_work(Bounding):
        def _is_own(self, text):
            return text is not None


class ClustersByChance(Broken, BoundedAttention):
    """Lets the generator of all begin the clustering."""

    class at_work(Bounding):
        def _refine(self, image):
            self.search.seed = int(torch.randint(1000, ()))
            return super()._refine(image)


class BooleanMask(Broken, BoundedAttention):
    """Masks words with booleans."""

    class at_work(Bounding):
        def _cross(self, site, qkv):
            return super()._cross(site, qkv).mask(qkv.q.dtype) == 0


class BlindsTheBackground(Broken, BoundedAttention):
    """Hides the whole text where no subject is."""

    class at_work(Bounding):
        def _cross_closed(self, masks, image, *, text, keys):
            closed = super()._cross_closed(masks, image, text=text, keys=keys)
            return closed | (masks.sum(0) == 0)[:, None]
