"""Keep the attention of a run: true probabilities as running means, without changing the picture.

A recorder stands inside all other patches, so it sees the queries, keys, biases and edits that are used in
the end. The attention itself goes on through the host's fused kernel; the probabilities are computed beside
it, in float32 and in query chunks, for the wanted rows only.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar

from torch import Tensor

from ..attention.attention import MAP_BYTES, probabilities
from ..contract.layers import LayerMap
from ..contract.method import Attend, Batch, LayerSize, Patch
from ..contract.qkv import QKV
from ..contract.site import Site, Text
from .recorded import AttentionMaps, LayerMaps, MapStore, TimeSlice
from .running_means import SliceMeans

MEGABYTE = 2**20
KEPT, OPEN = 2, 4  # bytes of a value in a closed time slice, and in the one that is being averaged


@dataclass(frozen=True, kw_only=True)
class Recorder(Patch):
    """Which attention to keep, and where it goes.

    `cross_layers` and `self_layers` are ordinals; of the latter only layers of at most `self_max_tokens`
    tokens are kept. The schedule is cut into `time_bins` equal slices, each with a mean of its own.
    `queries_and_keys` also keeps those of self-attention, from the last call in each slice.
    """

    label: ClassVar[str] = "AttentionRecorder"
    observes: ClassVar[bool] = True
    store: MapStore
    cross_layers: frozenset[int] = frozenset()
    self_layers: frozenset[int] = frozenset()
    self_max_tokens: int = 1024
    time_bins: int = 8
    each_head: bool = False
    queries_and_keys: bool = False
    roles: tuple[str, ...] = ("positive",)
    memory_limit: int = 2048 * MEGABYTE

    @property
    def off(self) -> bool:
        return super().off or not (self.cross_layers or self.self_layers)

    def start(self, batch: Batch) -> str | None:
        fitting = self._fitting(batch)
        if not (fitting.cross_layers or fitting.self_layers):
            tokens = min(_tokens(size) for size in batch.sizes.values())
            return f"the smallest layer has {tokens} tokens, self_max_tokens is {self.self_max_tokens}"
        fitting.check_memory(batch)
        return None

    def begin(self, batch: Batch) -> Patch:
        return Recording(during=self.during, spec=self._fitting(batch), batch=batch)

    def _fitting(self, batch: Batch) -> "Recorder":
        small = {n for n, size in batch.sizes.items() if _tokens(size) <= self.self_max_tokens}
        return replace(self, self_layers=self.self_layers & small)

    def check_memory(self, batch: Batch) -> None:
        """Raises ValueError if the maps of this batch would pass the limit, and says what to lower."""
        cross, own = self._values(batch)
        needed = self.needed(batch)
        if needed <= self.memory_limit:
            return
        spare = self.memory_limit - self._working(batch)
        fewer = int((spare / (cross + own) - OPEN) // KEPT)
        ways = [f"time_bins from {self.time_bins} to {fewer}"] if fewer >= 1 else []
        if own > cross:
            ways.append(f"self_max_tokens from {self.self_max_tokens}")
        ways += ["the number of layers", "the batch size"]
        raise ValueError(
            f"memory_limit_mb is {self.memory_limit // MEGABYTE}, but these maps would take "
            f"{needed // MEGABYTE + 1} MB ({100 * own // (cross + own)} % of it self-attention). "
            f"Lower {', or '.join(ways)}; or raise the limit."
        )

    def needed(self, batch: Batch) -> int:
        """Bytes that a run of this batch takes beyond a plain one: all slices, and the map in the making."""
        return sum(self._values(batch)) * (self.time_bins * KEPT + OPEN) + self._working(batch)

    def _working(self, batch: Batch) -> int:
        """Logits, probabilities and a reduced copy of the largest query chunk."""
        text = max((n for role in self.roles for n in batch.text_tokens.get(role, ())), default=0)
        largest = 0
        for ordinal, size in batch.sizes.items():
            tokens = _tokens(size)
            columns = tokens if ordinal in self.self_layers else text
            largest = max(largest, batch.images * size.heads * tokens * columns * OPEN)
        return 3 * min(largest, MAP_BYTES)

    def _values(self, batch: Batch) -> tuple[int, int]:
        """How many numbers one time slice of the cross- and of the self-attention holds."""
        texts = sum(next(iter(batch.text_tokens.get(role, ())), 0) for role in self.roles)
        cross = own = 0
        for ordinal, size in batch.sizes.items():
            tokens, heads = _tokens(size), size.heads if self.each_head else 1
            if ordinal in self.cross_layers:
                cross += batch.images * heads * tokens * texts
            if ordinal in self.self_layers:
                features = 2 * size.heads * size.width if self.queries_and_keys else 0
                own += batch.images * len(self.roles) * tokens * (heads * tokens + features)
        return cross, own


def _tokens(size: LayerSize) -> int:
    return size.grid[0] * size.grid[1]


Key = tuple[str, int, str]
"""What, ordinal of the layer, role."""


@dataclass(frozen=True, kw_only=True)
class Recording(Patch):
    """A recorder at work in one run."""

    label: ClassVar[str] = Recorder.label
    observes: ClassVar[bool] = True
    spec: Recorder
    batch: Batch
    means: dict[Key, SliceMeans] = field(default_factory=dict)
    times: dict[int, dict[float, float]] = field(default_factory=dict)  # slice -> sigma -> time
    left_out: set[Text] = field(default_factory=set)
    swapped: Counter[int] = field(default_factory=Counter)  # by layer

    def wants(self, site: Site) -> bool:
        wanted = self.spec.cross_layers if site.kind == "cross" else self.spec.self_layers
        return (
            site.layer.ordinal in wanted
            and site.grid == self.batch.sizes[site.layer.ordinal].grid
            and any(True for _ in self._chunks(site))
        )

    def _chunks(self, site: Site) -> Iterator[tuple[Text, slice]]:
        """The wanted texts and their rows; of several conditionings of one role, the first."""
        for text, (_, rows) in zip(site.rows.texts, site.rows.chunks, strict=True):
            if text is not None and text.role in self.spec.roles:
                if text.entry == 0:
                    yield text, rows
                else:
                    self.left_out.add(text)

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        out = attend(qkv)
        if qkv.swapped:  # places of another picture; they cannot be averaged with this one's
            self.swapped[site.layer.ordinal] += 1
            return out
        slice_ = min(int(site.progress * self.spec.time_bins), self.spec.time_bins - 1)
        self.times.setdefault(slice_, {})[site.sigma] = site.time
        for text, rows in self._chunks(site):
            self._keep(site, qkv, text, rows, slice_)
        return out

    def _keep(self, site: Site, qkv: QKV, text: Text, rows: slice, slice_: int) -> None:
        own = qkv.k.shape[2]
        columns = text.tokens if site.kind == "cross" else own
        heads = site.heads if self.spec.each_head else 1
        mean = self._means(site.kind, site, text).of(
            slice_, (site.rows.images, heads, qkv.q.shape[2], columns), qkv.q.device
        )
        for queries, map_ in probabilities(qkv, rows):
            seen = map_[..., :own] if map_.shape[-1] > own else map_
            if heads == 1:
                seen = seen.mean(1, keepdim=True)
            if columns < own:  # the host repeats a shorter text, and its copies share the attention
                copies = own // columns  # what is left are tokens that another pack has added
                seen = seen[..., : copies * columns].unflatten(-1, (copies, columns)).sum(-2)
            mean.add(seen, queries)
        if site.kind == "self" and self.spec.queries_and_keys:
            for name, features in (("queries", qkv.q), ("keys", qkv.k)):
                kept = self._means(name, site, text).of(slice_, features[rows].shape, qkv.q.device)
                kept.replace(features[rows])

    def _means(self, what: str, site: Site, text: Text) -> SliceMeans:
        return self.means.setdefault((what, site.layer.ordinal, text.role), SliceMeans())

    def finish(self, latents: Tensor) -> str | None:
        slices = sorted(self.times)
        stacked = {key: means.stack(slices) for key, means in self.means.items()}
        complete = {key: tensor for key, tensor in stacked.items() if tensor is not None}
        looks = self.swapped.total()
        swapped = f" {looks} looks at other pictures were left out." if looks else ""
        if not complete:
            return swapped.strip() or None
        maps = self._maps(slices, complete, latents.detach().cpu())
        self.spec.store.add(maps, self.spec.memory_limit / MEGABYTE)
        kept = f"{len(maps.layers)} layers in {len(slices)} time slices, {maps.megabytes:.1f} MB."
        further = f" {len(self.left_out)} further conditionings were left out." if self.left_out else ""
        return f"Kept {kept}{further}{swapped}"

    def _maps(self, slices: list[int], kept: dict[Key, Tensor], latents: Tensor) -> AttentionMaps:
        model = self.batch.layers
        assert model is not None
        bins = self.spec.time_bins
        times = [self.times[s] for s in slices]
        return AttentionMaps(
            model=model,
            images=self.batch.images,
            latent=self.batch.latent,
            slices=tuple(
                TimeSlice(s / bins, (s + 1) / bins, sum(t.values()) / len(t))
                for s, t in zip(slices, times, strict=True)
            ),
            layers=tuple(self._layers(model, kept)),
            latents=latents,
        )

    def _layers(self, model: LayerMap, kept: dict[Key, Tensor]) -> Iterator[LayerMaps]:
        for layer in model.layers:
            by_kind = {
                what: {r: t for (w, n, r), t in kept.items() if (w, n) == (what, layer.ordinal)}
                for what in ("cross", "self", "queries", "keys")
            }
            if by_kind["cross"] or by_kind["self"]:
                yield LayerMaps(
                    layer,
                    self.batch.sizes[layer.ordinal].grid,
                    by_kind["cross"],
                    by_kind["self"],
                    by_kind["queries"],
                    by_kind["keys"],
                )
