"""A recorder at work in one run: running means of the probabilities, computed beside the attention itself."""

from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from ...attention.attention_map import by_token
from ...attention.explicit_maps import probabilities
from ...contract.attention_part import Attend, Order, StepAside
from ...contract.batch import Batch
from ...contract.call.qkv import QKV
from ...contract.call.site import Site, Text, Window
from ...contract.report import counted
from ...numerics.finite import all_finite
from ..recorded import MapStore
from .live_words import live_words
from .maps_of_run import Key, maps_of_run
from .running_means import SliceMeans
from .wanted import Chunk, Wanted
from .windows import Grid, Laying, fits

ONLY_WORDS = (
    "the model gets a part of the picture, which looks at nothing outside it, and self-attention is kept of "
    "the whole one"
)
NOT_A_NUMBER = "the attention was not a number (NaN)"
NO_PLACE = "the model gets a part of the picture, and maps are kept of the whole one"


@dataclass
class Recording:
    """Stands innermost; the store gets the maps when the run has ended well."""

    order: ClassVar[Order] = "observe"
    wanted: Wanted
    batch: Batch
    store: MapStore
    megabytes: float  # that the store may take
    told: str | None = None  # known from the start to be left out
    means: dict[Key, SliceMeans] = field(default_factory=dict)
    times: dict[int, dict[float, float]] = field(default_factory=dict)  # slice -> sigma -> percent
    left_out: set[tuple[str, int]] = field(default_factory=set)  # (role, entry) of further texts
    swapped: Counter[int] = field(default_factory=Counter)  # by layer
    layings: dict[tuple[str, Window, Grid, Grid], Laying] = field(default_factory=dict)
    # of the role's text in this window, by its own grid and the picture's

    def wants(self, site: Site) -> bool | StepAside:
        layers = self.wanted.cross_layers if site.kind == "cross" else self.wanted.self_layers
        if site.layer.ordinal not in layers:
            return False
        chunks = list(self._chunks(site))
        if not chunks:
            return False
        if any(chunk.window is None or (chunk.part and chunk.share is None) for chunk in chunks):
            return StepAside(NO_PLACE)
        if site.kind == "self" and any(chunk.part for chunk in chunks):
            return StepAside(ONLY_WORDS)
        expected = self.batch.layer_sizes[site.layer.ordinal].grid
        if not all(chunk.window and fits(chunk.window, site.grid, expected) for chunk in chunks):
            here, there = (f"{height} x {width}" for height, width in (site.grid, expected))
            return StepAside(f"another patch resizes what the layer sees ({here} tokens, not {there})")
        return True

    def _chunks(self, site: Site) -> Iterator[Chunk]:
        """Those of the wanted texts."""
        for text, rows, window in site.rows.by_text:
            if self.wanted.keeps(text):
                yield Chunk(text, rows, window, site.rows.share(rows))
            elif text.role in self.wanted.roles:
                self.left_out.add((text.role, text.entry))

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        out = attend(qkv)
        if qkv.swapped:  # places of another picture; they cannot be averaged with this one's
            self.swapped[site.layer.ordinal] += 1
            return out
        slice_ = self.wanted.slice_of(site.percent)
        seen = self.times.setdefault(slice_, {})
        if site.sigma not in seen:  # a step has begun: the one before it is seen whole
            self._draw()
        seen[site.sigma] = site.percent
        for chunk in self._chunks(site):
            self._keep(site, qkv, chunk, slice_)
        return out

    def _draw(self) -> None:
        """The heat of the live words in the present time slice, on the node."""
        if not self.wanted.live:
            return
        present = [
            (self.batch.layer_sizes[ordinal].grid, means.present[1].values)
            for (what, ordinal, role), means in self.means.items()
            if (what, role) == ("cross", "positive") and means.present is not None
        ]
        if present:
            self.batch.draw(lambda: live_words(present, self.wanted.live))

    def _keep(self, site: Site, qkv: QKV, chunk: Chunk, slice_: int) -> None:
        text, whole = chunk.text, self.batch.layer_sizes[site.layer.ordinal].grid
        columns = text.tokens if site.kind == "cross" else qkv.k.shape[2]
        heads = site.heads if self.wanted.each_head else 1
        mean = self._means(site.kind, site, text).of(
            slice_, (site.rows.images, heads, whole[0] * whole[1], columns), qkv.q.device
        )
        parts = self._seen(qkv, chunk.rows, heads, columns)
        if chunk.share is not None and chunk.window is not None and site.kind == "cross":
            map_ = torch.cat([seen for _, seen in parts], 2)
            self._laying(text.role, chunk.share, chunk.window, site.grid, whole, map_).add(mean, map_)
        else:
            for queries, seen in parts:
                mean.add(seen, queries)
        if site.kind == "self" and self.wanted.queries_and_keys:
            for name, rotated in (("queries", qkv.q), ("keys", qkv.k)):
                features = rotated if site.rotary is None else site.rotary.unrotated(rotated)
                own = features[chunk.rows]
                self._means(name, site, text).of(slice_, own.shape, qkv.q.device).replace(own)

    def _laying(
        self, role: str, share: Tensor, window: Window, own: Grid, whole: Grid, like: Tensor
    ) -> Laying:
        """The same in all steps and layers of a grid, unless a text's parts are cut anew."""
        key = (role, window, own, whole)
        laying = self.layings.get(key)
        if laying is None or not laying.of(share, like):
            laying = self.layings[key] = Laying.made(share, window, own, whole, like)
        return laying

    def _seen(self, qkv: QKV, rows: slice, heads: int, columns: int) -> Iterator[tuple[slice, Tensor]]:
        """The maps to keep, (images, heads, n, columns) by queries."""
        own = qkv.k.shape[2]
        for queries, map_ in probabilities(qkv, rows):
            seen = map_[..., :own] if map_.shape[-1] > own else map_
            yield queries, by_token(seen.mean(1, keepdim=True) if heads == 1 else seen, columns)

    def _means(self, what: str, site: Site, text: Text) -> SliceMeans:
        return self.means.setdefault((what, site.layer.ordinal, text.role), SliceMeans())

    def finish(self, latents: Tensor) -> str | None:
        self._draw()
        slices = sorted(self.times)
        stacked = {key: means.stack(slices) for key, means in self.means.items()}
        complete = {key: tensor for key, tensor in stacked.items() if tensor is not None}
        remarks = list(self._remarks(stacked.keys(), complete.keys()))
        if not all(map(all_finite, complete.values())):
            self.store.refuse(NOT_A_NUMBER)
            self.store.missed.add(latents, NOT_A_NUMBER)
            return " ".join([f"Kept nothing: {self.store.refused}.", *remarks])
        if complete:
            maps = maps_of_run(self.batch, self.wanted, self.times, complete, latents.detach().cpu())
            self.store.add(maps, self.megabytes)
            kept = f"{len(maps.layers)} layers in {len(slices)} time slices, {maps.megabytes:.1f} MB"
            remarks.insert(0, f"Kept {kept}.")
        else:
            self.store.missed.add(latents, "the recorder saw no whole step of it in its range")
        return " ".join(remarks) or None

    def _remarks(self, seen: Set[Key], complete: Set[Key]) -> Iterator[str]:
        """What was not kept, and why."""
        if self.told:
            yield self.told
        at_times = {role for _, _, role in seen} - {role for _, _, role in complete}
        for role in sorted(at_times if complete else ()):
            yield f"Left out the {role} prompt: it is in use in some of the time slices only."
        incomplete = {ordinal for _, ordinal, role in seen - complete if role not in at_times or not complete}
        if incomplete:
            layers = ", ".join(str(ordinal) for ordinal in sorted(incomplete))
            yield f"Left out layers {layers}: another patch skips or resizes them in some of the time slices."
        if self.left_out:
            yield f"Left out {counted(len(self.left_out), 'further conditioning')}."
        if looks := self.swapped.total():
            yield f"Left out {counted(looks, 'look')} at other pictures."
