"""The layers and the strengths of a method's authors."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """What a method's authors use on one kind of model: layers by ordinal, those of self-attention where they
    are others, for guidance the step sizes of the first and of the last guided step, and blocks by their
    ordinal in the map of residuals. `until` is the percent of the schedule at which the method ends."""

    layers: frozenset[int]
    step_sizes: tuple[float, float] = (0.0, 0.0)
    residuals: frozenset[int] = frozenset()
    self_layers: frozenset[int] | None = None
    until: float = 1.0
