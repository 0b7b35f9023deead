"""Maps of concepts, whether the prompt has them or not.

Helbling, Meral, Hoover, Yanardag, Chau, "ConceptAttention: Diffusion Transformers Learn Highly Interpretable
Features", ICML 2025, section 4. Concept vectors go through the blocks of two streams as a text of their own:
they read themselves and the picture, and nothing reads them. With o what attention gives a token, before the
projection and with its heads side by side,

    map of concept c at cell x = softmax over the concepts of <o_c, o_x>

averaged over layers and steps. So concepts compete, and one alone is everywhere 1. Flux.1: blocks 15 to 18 of
19, in all steps; a concept is the first vector that T5 makes of it. It differs from the authors' code in one
thing: concepts are modulated as the prompt is, with its pooled vector instead of none.

Flux.2 dev, by the authors' code: blocks 5 to 7 of 8, in the last 30 % of the steps; a concept is the vector
of its last token before the end of the template, and stands where this one stands; the products are divided
by 1000. There they take the softmax of the mean, here the mean is of the softmax, as for Flux.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from ...contract.attention_part import Order
from ...contract.batch import Batch
from ...contract.call.site import Site, Text
from ...contract.method import Method, Part
from ..recorded import MapStore
from .recorder import KEPT, MEGABYTE, OPEN
from .recording import Recording
from .wanted import Wanted

CONCEPTS = "recorded, of concepts"
"""The preset that says which layers see concepts best."""


@dataclass(frozen=True)
class ConceptForm:
    """Which token of its encoded name a concept is, negative from the end, at which place among the text's it
    reads; and what the products are divided by."""

    token: int = 0
    temperature: float = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)  # tensors have no single answer to ==
class ConceptRecorder(Method):
    """Keeps maps of concepts in place of a prompt's words; `layers` are ordinals, `concepts` (m, width)."""

    label: ClassVar[str] = "ConceptAttention"
    store: MapStore
    layers: frozenset[int]
    concepts: Tensor
    temperature: float = 1.0
    time_bins: int = 8
    memory_limit: int = 2048 * MEGABYTE

    @property
    def off(self) -> bool:
        return super().off or not self.layers

    def start(self, batch: Batch) -> str | None:
        if batch.window:
            return "the model sees the picture in windows, and maps of concepts are kept of the whole one"
        if not self._texts(batch):
            return "no positive conditioning has the whole picture, and maps are kept of nothing less"
        self._check_memory(batch)
        return None

    def begin(self, batch: Batch) -> Sequence[Part]:
        wanted = Wanted(
            cross_layers=self.layers,
            self_layers=frozenset(),
            texts=self._texts(batch),
            roles=("positive",),
            time_bins=self.time_bins,
            each_head=False,
            queries_and_keys=False,
        )
        megabytes = self.memory_limit / MEGABYTE
        heat = self.temperature
        return (
            ConceptRecording(wanted, batch, self.store, megabytes, concepts=self.concepts, temperature=heat),
        )

    def missed(self, latents: Tensor, reason: str) -> None:
        self.store.missed.add(latents, reason)

    def memory(self, batch: Batch) -> int:
        return self._values(batch) * OPEN

    def needed(self, batch: Batch) -> int:
        """Bytes that a run of this batch takes beyond a plain one: all slices, and the map in the making."""
        return self._values(batch) * (self.time_bins * KEPT + OPEN)

    def _values(self, batch: Batch) -> int:
        """How many numbers one time slice holds."""
        tokens = sum(size.tokens for ordinal, size in batch.layer_sizes.items() if ordinal in self.layers)
        return batch.images * tokens * len(self.concepts)

    def _check_memory(self, batch: Batch) -> None:
        """Raises ValueError if the maps of this batch would pass the limit, and says what to lower."""
        needed = self.needed(batch)
        if needed <= self.memory_limit:
            return
        fewer = int((self.memory_limit / self._values(batch) - OPEN) // KEPT)
        ways = [f"time_bins from {self.time_bins} to {fewer}"] if fewer >= 1 else []
        ways += ["the number of layers", "the batch size"]
        raise ValueError(
            f"memory_limit_mb is {self.memory_limit // MEGABYTE}, but these maps would take "
            f"{needed // MEGABYTE + 1} MB. Lower {', or '.join(ways)}; or raise the limit."
        )

    def _texts(self, batch: Batch) -> tuple[Text, ...]:
        """The first that has the whole picture, if any."""
        whole = (text for text in batch.texts if text.role == "positive" and text.window.whole)
        return tuple(whole)[:1]


@dataclass
class ConceptRecording(Recording):
    """It looks at no attention call itself: the host tells it of the concepts."""

    order: ClassVar[Order] = "observe"
    concepts: Tensor = field(kw_only=True)
    temperature: float = field(kw_only=True)

    def wants(self, site: Site) -> bool:
        return False

    def wants_concepts(self, ordinal: int) -> bool:
        return ordinal in self.wanted.cross_layers

    def see(self, site: Site, image: Tensor, concepts: Tensor) -> None:
        slice_ = self.wanted.slice_of(site.percent)
        for chunk in self._chunks(site):
            if chunk.window is None or chunk.part:
                continue
            self.times.setdefault(slice_, {})[site.sigma] = site.percent
            map_ = concept_map(image[chunk.rows], concepts[chunk.rows], self.temperature)
            map_ = map_[:, None]  # (images, 1, N, m)
            mean = self._means("cross", site, chunk.text).of(slice_, tuple(map_.shape), map_.device)
            mean.add(map_, slice(0, map_.shape[2]))


def concept_map(image: Tensor, concepts: Tensor, temperature: float) -> Tensor:
    """(B, N, m) in float32, of what attention gives picture (B, N, C) and concepts (B, m, C)."""
    return (image.float() @ concepts.float().transpose(-1, -2) / temperature).softmax(-1)
