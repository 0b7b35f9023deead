"""In which calls a blend behind one step reaches what the sampler goes on from.

A sampler that goes by the schedule begins each step at one of its levels. It may call the model between them
and at the next one before it is there, so all calls at the level behind the step are blended. Samplers that
choose their levels themselves (DPM-Solver's fast and adaptive ones) let nobody see where a step begins: there
calls are blended until latents come that have kept it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from ...contract.schedule import ROUNDING

KEPT = 0.5  # of what two images were apart: less is left where the sampler goes on from the blend


@dataclass(kw_only=True)
class BlendingCalls:
    """Follows a sampler by its calls. `levels` are the schedule's, `further` how many steps more are blended,
    for samplers that remember what they expected before it."""

    levels: tuple[float, ...]
    further: int = 0
    called: list[float] = field(default_factory=list)
    blended: list[float] = field(default_factory=list)  # noise levels
    own_levels: bool = False  # whether the sampler goes by its own
    first_apart: float | None = None
    kept: bool = False

    def follow(self, sigma: float) -> None:
        """The sampler calls. The first level is left out: some begin a little below it."""
        passed = [level for level in self.levels[1:] if level > sigma * (1 + ROUNDING)]
        self.own_levels |= not all(_among(level, self.called) for level in passed)
        self.called.append(sigma)

    def chosen(self, sigma: float, apart: Callable[[], float]) -> bool:
        """Whether to blend in this call, behind that step. `apart` is how far images are from the original
        where they should not be."""
        if self.own_levels:
            return self._until_kept(sigma, apart())
        if not _among(sigma, self.levels):
            return False
        if not _among(sigma, self.blended):
            if len(self.blended) > self.further:
                return False
            self.blended.append(sigma)
        return True

    def _until_kept(self, sigma: float, apart: float) -> bool:
        if self.first_apart is None:
            self.first_apart = apart
        elif apart <= KEPT * self.first_apart:
            self.kept = True
        if not self.kept:
            self.blended.append(sigma)
        return not self.kept

    @property
    def steps(self) -> int:
        """Behind how many steps it was blended."""
        return min(len(self.blended), 1) if self.own_levels else len(self.blended)


def _among(sigma: float, levels: list[float] | tuple[float, ...]) -> bool:
    return any(math.isclose(sigma, level, rel_tol=ROUNDING) for level in levels)
