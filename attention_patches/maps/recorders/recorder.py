"""Keep the attention of a run: true probabilities as running means, without changing the picture.

A recorder stands inside all other patches, so it sees the queries, keys, biases and edits that are used in
the end. The attention itself goes on through the host's fused kernel; the probabilities are computed beside
it, in float32 and in query chunks, for the wanted rows only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor

from ...attention.explicit_maps import MAP_BYTES
from ...contract.batch import Batch
from ...contract.call.site import Text
from ...contract.method import Method, Part
from ..recorded import MapStore
from .recording import Recording
from .wanted import Wanted

MEGABYTE = 2**20
WORDS, PICTURE = "recorded, of words", "recorded, of the picture"
"""The presets that say which layers of cross- and self-attention are worth keeping; without them, all are."""

IN_WINDOWS = (
    "Left out self-attention: the model saw the picture in windows, and none looks at what is outside it."
)

KEPT, OPEN = 2, 4  # bytes of a value in a closed time slice, on the CPU, and in the one being averaged


@dataclass(frozen=True, kw_only=True)
class Recorder(Method):
    """Which attention to keep, and where it goes.

    `cross_layers` and `self_layers` are ordinals; of the latter only layers of at most `self_max_tokens`
    tokens are kept (any, if None). The schedule is cut into `time_bins` equal slices, each with a mean of
    its own. `queries_and_keys` also keeps those of self-attention, from the last call in each slice, and
    before they are rotated where positions are rotations: what a place looks like, not where it is. Where
    image 0 looks at the `live` words, each given by its tokens, is drawn on the node step by step.
    """

    label: ClassVar[str] = "AttentionRecorder"
    store: MapStore
    cross_layers: frozenset[int] = frozenset()
    self_layers: frozenset[int] = frozenset()
    self_max_tokens: int | None = 1024
    time_bins: int = 8
    each_head: bool = False
    queries_and_keys: bool = False
    roles: tuple[str, ...] = ("positive",)
    memory_limit: int = 2048 * MEGABYTE
    live: tuple[tuple[int, ...], ...] = ()

    @property
    def off(self) -> bool:
        return super().off or not (self.cross_layers or self.self_layers)

    def start(self, batch: Batch) -> str | None:
        fitting = self._fitting(batch)
        if batch.window and not fitting.cross_layers:
            return "the model sees the picture in windows, and of these only maps of words are kept"
        if not (fitting.cross_layers or fitting.self_layers):
            tokens = min(batch.layer_sizes[ordinal].tokens for ordinal in self.self_layers)
            return f"its smallest layer has {tokens} tokens, self_max_tokens is {self.self_max_tokens}"
        if not self.chosen(batch):
            roles = " and ".join(self.roles)
            return f"no {roles} conditioning has the whole picture, and maps are kept of nothing less"
        fitting.check_memory(batch)
        return None

    def begin(self, batch: Batch) -> Sequence[Part]:
        fitting = self._fitting(batch)
        shortest = min(batch.text_tokens("positive"), default=0)
        wanted = Wanted(
            cross_layers=fitting.cross_layers,
            self_layers=fitting.self_layers,
            texts=self.chosen(batch),
            roles=self.roles,
            time_bins=self.time_bins,
            each_head=self.each_head,
            queries_and_keys=self.queries_and_keys,
            live=tuple(word for word in self.live if max(word) < shortest),
        )
        left_out = IN_WINDOWS if self.self_layers and batch.window else None
        return (Recording(wanted, batch, self.store, self.memory_limit / MEGABYTE, left_out),)

    def missed(self, latents: Tensor, reason: str) -> None:
        self.store.missed.add(latents, reason)

    def memory(self, batch: Batch) -> int:
        fitting = self._fitting(batch)
        return sum(fitting._values(batch)) * OPEN + fitting._working(batch)

    def chosen(self, batch: Batch) -> tuple[Text, ...]:
        """Of each wanted role the first text that has the whole picture."""
        whole = [text for text in batch.texts if text.window.whole]
        firsts = (next((text for text in whole if text.role == role), None) for role in self.roles)
        return tuple(text for text in firsts if text is not None)

    def _fitting(self, batch: Batch) -> "Recorder":
        if batch.window:
            return replace(self, self_layers=frozenset())
        most = self.self_max_tokens
        small = {n for n, size in batch.layer_sizes.items() if most is None or size.tokens <= most}
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
        if own > cross and self.self_max_tokens is not None:
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
        text = max((n for role in self.roles for n in batch.text_tokens(role)), default=0)
        largest = 0
        for ordinal, size in batch.layer_sizes.items():
            columns = max(
                size.tokens if ordinal in self.self_layers else 0,
                text if ordinal in self.cross_layers else 0,
            )
            largest = max(largest, batch.images * size.heads * size.tokens * columns * OPEN)
        return 3 * min(largest, MAP_BYTES)

    def _values(self, batch: Batch) -> tuple[int, int]:
        """How many numbers one time slice of the cross- and of the self-attention holds."""
        texts = sum(text.tokens for text in self.chosen(batch))
        cross = own = 0
        for ordinal, size in batch.layer_sizes.items():
            tokens, heads = size.tokens, size.heads if self.each_head else 1
            if ordinal in self.cross_layers:
                cross += batch.images * heads * tokens * texts
            if ordinal in self.self_layers:
                features = 2 * size.heads * size.width if self.queries_and_keys else 0
                own += batch.images * len(self.roles) * tokens * (heads * tokens + features)
        return cross, own
