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
    """What became of a noun: `rival` is the strongest other thing in the segment `home`, if there is one;
    `gain` is how much likelier the picture is with it named than without, if the model was asked."""

    thing: NamedThing
    state: State
    home: int
    share: float  # 0..1, of the attention that all nouns get in its home
    rise: float  # at least 1: how much more it is seen there than over the whole picture
    rival: int | None
    attributes: tuple[AttributeFinding, ...]
    gain: float | None = None


@dataclass(frozen=True)
class Diagnosis:
    """Of one image. The labels of the segmentation are the things that are present. `given` is whether the
    model's answers decided; shares and rivals are those of attention all the same."""

    things: tuple[ThingFinding, ...]
    segmentation: Segmentation
    given: bool = False

    def masks(self, clusters: Tensor) -> Tensor:
        """(things, height, width) bool, for segments of any size: where each thing is, or with which other
        thing it is fused; empty for what is neglected. What has no segment of its own and is there all the
        same, as the model says, has the one where it is most looked at."""
        own = self.segmentation.masks(clusters)
        return torch.stack(
            [
                (clusters == found.home) if found.state != "neglected" and not mask.any() else mask
                for found, mask in zip(self.things, own, strict=True)
            ]
        )
