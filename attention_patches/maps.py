"""Recorded attention: a value that viewers, segmentation and files share."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from .layers import LayerMap
from .site import Layer


@dataclass(frozen=True)
class TimeSlice:
    """A part of the run whose calls were averaged."""

    start: float  # progress, 0..1, included
    end: float  # not included
    time: float  # mean noise level of its calls on the model's scale, 1 for pure noise


@dataclass(frozen=True)
class LayerMaps:
    """What was kept of one layer, by role ("positive", "negative"); half precision, on the CPU.

    Probabilities are means over the calls of a slice, and over the heads unless each was kept. Rows sum to 1,
    or to less where patches let the image attend to something else too.
    """

    layer: Layer
    grid: tuple[int, int]  # (height, width) in tokens; N = height * width
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
    layers: tuple[LayerMaps, ...]  # in order of execution

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

    The host keeps it in its cache together with the node's MODEL, so maps and picture live equally long.
    """

    maps: AttentionMaps | None = None

    def read(self) -> AttentionMaps:
        """The maps of the last run. Raises ValueError if there was none."""
        if self.maps is None:
            raise ValueError(
                "maps: nothing has been recorded yet. Connect the recorder's MODEL to the sampler, and to "
                "`image` the picture which that sampler makes, so that it runs first."
            )
        return self.maps
