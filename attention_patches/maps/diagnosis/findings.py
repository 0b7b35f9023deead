"""What a diagnosis says of one image: of each thing, and of each attribute."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ...text.named_things import NamedThing
from ..self_segmentation.segmentation import Segmentation

State = Literal["present", "fused", "neglected"]


@dataclass(frozen=True)
class AttributeFinding:
    """What became of an attribute: `bound` is the number of the thing that has it, None if nothing has; of
    another thing rather than its own, should both have it."""

    text: str
    bound: int | None


@dataclass(frozen=True)
class ThingFinding:
    """What became of a noun: `home` is its segment, where it is most looked at, or in a given picture where
    naming it helps most; share, rise and `rival`, the strongest other thing if there is one, are those of
    where it is most looked at.
    `gain` is how much likelier the picture is with it named than with any object in its place, if the model
    was asked, and `answered` whether this decided its state."""

    thing: NamedThing
    state: State
    home: int
    share: float  # 0..1, of the attention that all nouns get there
    rise: float  # at least 1: how much more it is seen there than over the whole picture
    rival: int | None
    attributes: tuple[AttributeFinding, ...]
    gain: float | None = None
    answered: bool = False


@dataclass(frozen=True)
class Diagnosis:
    """Of one image. The labels of the segmentation are the things that are present. `given` is whether the
    model's answers decided; shares and rivals are those of attention all the same."""

    things: tuple[ThingFinding, ...]
    segmentation: Segmentation
    given: bool = False

    def masks(self, clusters: Tensor) -> Tensor:
        """(things, height, width) bool, for segments of any size: where each thing is, or with which other
        thing it is fused; empty for what is neglected. What is present in a given picture without a segment
        of its own shares its home."""
        own = self.segmentation.masks(clusters)
        return torch.stack(
            [
                (clusters == found.home) if self._shares(found, mask) else mask
                for found, mask in zip(self.things, own, strict=True)
            ]
        )

    def _shares(self, found: ThingFinding, own: Tensor) -> bool:
        """Whether a thing has its home, whoever has it as well."""
        return found.state == "fused" or (self.given and found.state == "present" and not own.any())
