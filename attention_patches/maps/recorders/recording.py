"""A recorder at work in one run: running means of the probabilities, computed beside the attention itself."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from ...attention.attention_map import by_token
from ...attention.explicit_maps import probabilities
from ...contract.attention_part import Attend, Order, StepAside
from ...contract.batch import Batch
from ...contract.qkv import QKV
from ...contract.site import Prompt, Site, Text, Window
from ...numerics.finite import all_finite
from ..recorded import AttentionMaps, MapStore, RecordedLayer, TimeSlice
from .live_words import live_words
from .running_means import SliceMeans
from .windows import Grid, Laying, fits

ONLY_WORDS = (
    "the model gets a part of the picture, which looks at nothing outside it, and self-attention is kept of "
    "the whole one"
)
NO_PLACE = "the model gets a part of the picture, and maps are kept of the whole one"

Key = tuple[str, int, str]
"""What, ordinal of the layer, role."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to keep in one run: layers by ordinal, and one text of each role."""

    cross_layers: frozenset[int]
    self_layers: frozenset[int]
    texts: tuple[Text, ...]
    roles: tuple[str, ...]
    time_bins: int
    each_head: bool
    queries_and_keys: bool
    live: tuple[tuple[int, ...], ...] = ()

    def slice_of(self, percent: float) -> int:
        """The time slice of a place on the schedule."""
        return min(int(percent * self.time_bins + 1e-6), self.time_bins - 1)


@dataclass(frozen=True, eq=False)
class Chunk:
    """A text in one call: its rows, the part of the picture that they hold, None if its place is not known,
    and of a view how much of the picture each cell is, (h, w)."""

    text: Text
    rows: slice
    window: Window | None
    share: Tensor | None

    @property
    def part(self) -> bool:
        return self.window is not None and not self.window.whole


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
        names = {(text.role, text.entry) for text in self.wanted.texts}
        for text, rows, window in site.rows.by_text:
            if (text.role, text.entry) in names:
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
        remarks = list(self._remarks({ordinal for _, ordinal, _ in stacked.keys() - complete.keys()}))
        if not all(map(all_finite, complete.values())):
            self.store.refuse("the attention was not a number (NaN)")
            return " ".join([f"Kept nothing: {self.store.refused}.", *remarks])
        if complete:
            maps = self._maps(slices, complete, latents.detach().cpu())
            self.store.add(maps, self.megabytes)
            kept = f"{len(maps.layers)} layers in {len(slices)} time slices, {maps.megabytes:.1f} MB"
            remarks.insert(0, f"Kept {kept}.")
        return " ".join(remarks) or None

    def _remarks(self, incomplete: set[int]) -> Iterator[str]:
        """What was not kept, and why."""
        if self.told:
            yield self.told
        if incomplete:
            layers = ", ".join(str(ordinal) for ordinal in sorted(incomplete))
            yield f"Left out layers {layers}: another patch skips or resizes them in some of the time slices."
        if self.left_out:
            yield f"{len(self.left_out)} further conditionings were left out."
        if looks := self.swapped.total():
            yield f"{looks} looks at other pictures were left out."

    def _maps(self, slices: list[int], kept: dict[Key, Tensor], latents: Tensor) -> AttentionMaps:
        bins = self.wanted.time_bins
        percents = [self.times[s].values() for s in slices]
        return AttentionMaps(
            model=self.batch.layers,
            images=self.batch.images,
            latent=self.batch.latent,
            slices=tuple(
                TimeSlice(s / bins, (s + 1) / bins, 1.0 - sum(seen) / len(seen))
                for s, seen in zip(slices, percents, strict=True)
            ),
            layers=tuple(self._layers(kept)),
            latents=latents,
            prompts=self._prompts(),
        )

    def _prompts(self) -> dict[str, Prompt]:
        """What was sampled with, by role; texts of several rows are other prompts for other images."""
        rows = self.batch.conditionings
        return {
            text.role: text.prompt
            for text in self.wanted.texts
            if text.prompt is not None and set(rows.get(text.role, ())) == {1}
        }

    def _layers(self, kept: dict[Key, Tensor]) -> Iterator[RecordedLayer]:
        for layer in self.batch.layers.layers:
            by_kind = {
                what: {r: t for (w, n, r), t in kept.items() if (w, n) == (what, layer.ordinal)}
                for what in ("cross", "self", "queries", "keys")
            }
            if by_kind["cross"] or by_kind["self"]:
                yield RecordedLayer(
                    layer,
                    self.batch.layer_sizes[layer.ordinal].grid,
                    self.batch.layer_sizes[layer.ordinal].heads,
                    by_kind["cross"],
                    by_kind["self"],
                    by_kind["queries"],
                    by_kind["keys"],
                )
