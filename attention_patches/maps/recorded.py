"""Recorded attention: a value that viewers, segmentation and files share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate

from torch import Tensor

from ..contract.call.site import Prompt
from ..contract.layers.layer import Layer
from ..contract.layers.layer_map import LayerMap
from ..numerics.finite import REMEDY
from ..text.words import PromptTokens
from .matching import explained
from .missed import MissedRuns

NO_ROOM = (
    "its maps had to make room for those of later runs. Sample it anew with another seed, or raise "
    "`memory_limit_mb` of the node that records"
)


@dataclass(frozen=True)
class TimeSlice:
    """A part of the noise schedule whose calls were averaged."""

    start: float  # percent, 0..1, included
    end: float  # not included
    time: float  # mean noise level of its calls, 1 - percent: 1 for pure noise


@dataclass(frozen=True)
class RecordedLayer:
    """What was kept of one layer, by role ("positive", "negative"); half precision, on the CPU.

    Probabilities are means over the calls of a slice, and over the heads unless each was kept. Rows sum to 1,
    or to less where patches let the image attend to something else too.
    """

    layer: Layer
    grid: tuple[int, int]  # (height, width) in tokens; N = height * width
    heads: int  # of the layer, whether or not each was kept
    cross_attention: Mapping[str, Tensor] = field(default_factory=dict)  # (slices, images, heads, N, tokens)
    self_attention: Mapping[str, Tensor] = field(default_factory=dict)  # (slices, images, heads, N, N)
    queries: Mapping[str, Tensor] = field(default_factory=dict)  # self-attention's: (slices, images, H, N, d)
    keys: Mapping[str, Tensor] = field(default_factory=dict)  # (slices, images, H, N, d)


@dataclass(frozen=True)
class AttentionMaps:
    """The attention of one run."""

    model: LayerMap  # all layers of the model, recorded or not
    images: int
    latent: tuple[int, int]  # (height, width) in cells
    slices: tuple[TimeSlice, ...]
    layers: tuple[RecordedLayer, ...]  # in order of execution
    latents: Tensor | None = None  # (images, C, height, width) that the run made
    prompts: Mapping[str, Prompt] = field(default_factory=dict)  # by role, where all images had the same

    @property
    def megabytes(self) -> float:
        kept = (
            tensor
            for layer in self.layers
            for part in (layer.cross_attention, layer.self_attention, layer.queries, layer.keys)
            for tensor in part.values()
        )
        return sum(tensor.numel() * tensor.element_size() for tensor in kept) / 2**20


@dataclass
class MapStore:
    """What an ATTENTION_MAPS output carries: empty until the run that fills it has ended.

    The host keeps it in its cache together with the node's MODEL. Earlier runs are kept as well, as far as
    the recorder's memory goes, because the host's cache may bring their pictures back.
    """

    maps: AttentionMaps | None = None  # of the last run
    earlier: list[AttentionMaps] = field(default_factory=list)
    tokens: PromptTokens | None = None  # if the words are known, as from a file
    refused: str | None = None  # why nothing of the last run was kept
    missed: MissedRuns = field(default_factory=MissedRuns)
    of_a_sampler: bool = False  # filled by whatever samples with the recorder's MODEL, once it has run

    def add(self, maps: AttentionMaps, megabytes: float) -> None:
        """Keep a run's maps, and those of the runs before it that fit into so many megabytes with them."""
        room = megabytes - maps.megabytes
        before = self.earlier if self.maps is None else [self.maps, *self.earlier]
        sizes = accumulate(run.megabytes for run in before)
        fitting = sum(size <= room for size in sizes)
        self.earlier = before[:fitting]
        for run in reversed(before[fitting:]):
            if run.latents is not None:
                self.missed.add(run.latents, NO_ROOM)
        self.maps = maps
        self.refused = None

    def refuse(self, reason: str) -> None:
        """Nothing of the last run can be kept."""
        self.refused = reason

    def read(self, images: Tensor | None = None) -> AttentionMaps:
        """The maps of the run that made these images (B, H, W, 3), or of the last run.

        Raises ValueError if there are none, or if a run that left none has rather made the images.
        """
        if self.refused is not None and (self.maps is None or images is None):
            raise ValueError(f"maps: nothing was kept of the last run: {self.refused}. {REMEDY}")
        if self.maps is None:
            if images is not None:
                self.missed.check(images, 0.0, "maps")
            raise ValueError(
                "maps: nothing has been recorded yet. Connect the recorder's MODEL to the sampler, and to "
                "`image` the picture which that sampler makes, so that it runs first. If the picture came "
                "from the cache and its maps are gone from it, change the seed to sample again."
            )
        if images is None or not (self.earlier or self.missed.runs):
            return self.maps
        fits = [(_explained(run, images), run) for run in (self.maps, *self.earlier)]
        fit, found = max(fits, key=lambda each: each[0])
        self.missed.check(images, fit, "maps")
        return found


def _explained(run: AttentionMaps, images: Tensor) -> float:
    return 0.0 if run.latents is None else explained(run.latents, images)
